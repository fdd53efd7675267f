// Options by one table: name, parser, where the value goes, what is expected.

#include <cstring>
#include <limits>

#include "bemi/character.hpp"
#include "bemi/options.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"

namespace bemi {

namespace {

struct OptionSpec;

// Stores the value; returns nullptr, or why it is not acceptable, as a sentence for errdetail.
using ParseFunction = const char* (*)(const OptionSpec& spec, const char* value, Options* options);

struct OptionSpec {
    const char* name;
    ParseFunction parse;
    const char* expected;  // a sentence for errhint
    PatternList Options::*patterns = nullptr;
    std::size_t Options::*size = nullptr;
    std::size_t smallest = 0;
    std::size_t largest = 0;
};

constexpr std::size_t kMegabyte = 1u << 20;

const char* ParsePatternOption(const OptionSpec& spec, const char* value, Options* options) {
    const int max_names = spec.patterns == &Options::messages         ? 1
                          : spec.patterns == &Options::tables         ? 2
                          : spec.patterns == &Options::exclude_tables ? 2
                                                                      : 3;
    return ParsePatterns(value, max_names, &(options->*spec.patterns));
}

const char* ParseSizeOption(const OptionSpec& spec, const char* value, Options* options) {
    int bytes;
    const char* hint = nullptr;
    if (!parse_int(value, &bytes, GUC_UNIT_BYTE, &hint))
        return hint != nullptr ? hint : "The value is not a size.";
    if (bytes < 0 || static_cast<std::size_t>(bytes) < spec.smallest ||
        static_cast<std::size_t>(bytes) > spec.largest)
        return psprintf("The value is outside of the valid range: %zu to %zu bytes.", spec.smallest,
                        spec.largest);
    options->*spec.size = static_cast<std::size_t>(bytes);
    return nullptr;
}

struct Word {
    const char* text;
    unsigned bit;
};

// A comma-separated list of distinct words, each of which stands for a bit.
const char* ParseWords(const char* value, const Word* words, int word_count, unsigned* bits) {
    std::string_view rest = value;
    *bits = 0;
    for (;;) {
        const std::size_t comma = rest.find(',');
        std::string_view item = First(rest, comma);
        while (!item.empty() && item.front() == ' ')
            item.remove_prefix(1);
        while (!item.empty() && item.back() == ' ')
            item.remove_suffix(1);
        unsigned bit = 0;
        for (int i = 0; i < word_count; i++) {
            if (item == words[i].text)
                bit = words[i].bit;
        }
        if (bit == 0)
            return psprintf("\"%.*s\" is not one of them.", static_cast<int>(item.size()),
                            item.data());
        if (*bits & bit)
            return psprintf("\"%.*s\" is named twice.", static_cast<int>(item.size()), item.data());
        *bits |= bit;
        if (comma == std::string_view::npos)
            return nullptr;
        rest.remove_prefix(comma + 1);
    }
}

const char* ParseOperations(const OptionSpec&, const char* value, Options* options) {
    static const Word kWords[] = {{"create", 1u << kCreate},
                                  {"update", 1u << kUpdate},
                                  {"delete", 1u << kDelete},
                                  {"truncate", 1u << kTruncate}};
    return ParseWords(value, kWords, lengthof(kWords), &options->operations);
}

const char* ParseQuoteNumbers(const OptionSpec&, const char* value, Options* options) {
    static const Word kWords[] = {{"bigint", 1}, {"numeric", 2}, {"none", 4}};
    unsigned bits;
    if (const char* error = ParseWords(value, kWords, lengthof(kWords), &bits))
        return error;
    if (bits > 4)
        return "\"none\" goes with no other.";
    options->quote_bigint = (bits & 1) != 0;
    options->quote_numeric = (bits & 2) != 0;
    return nullptr;
}

const char* ParseKeys(const OptionSpec&, const char* value, Options* options) {
    static const Word kWords[] = {{"unique", 1}, {"primary", 2}};
    unsigned bits;
    if (const char* error = ParseWords(value, kWords, lengthof(kWords), &bits))
        return error;
    if (bits > 2)
        return "Only one of them can be given.";
    options->keys = bits == 2 ? KeyChoice::kPrimary : KeyChoice::kUnique;
    return nullptr;
}

const char* ParseOrigin(const OptionSpec&, const char* value, Options* options) {
    static const Word kWords[] = {{"any", 1}, {"none", 2}};
    unsigned bits;
    if (const char* error = ParseWords(value, kWords, lengthof(kWords), &bits))
        return error;
    if (bits > 2)
        return "Only one of them can be given.";
    options->local_origin_only = bits == 2;
    return nullptr;
}

const char* ParseContextScope(const OptionSpec&, const char* value, Options* options) {
    static const Word kWords[] = {{"transaction", 1}, {"preceding", 2}};
    unsigned bits;
    if (const char* error = ParseWords(value, kWords, lengthof(kWords), &bits))
        return error;
    if (bits > 2)
        return "Only one of them can be given.";
    options->preceding_context_only = bits == 2;
    return nullptr;
}

const char* ParseContextPrefix(const OptionSpec&, const char* value, Options* options) {
    options->context_prefix = pstrdup(value);
    return nullptr;
}

const char* ParseFormatVersion(const OptionSpec&, const char* value, Options*) {
    int version;
    if (!parse_int(value, &version, 0, nullptr) || version != wire::kFormatVersion)
        return "This bemi_decoder does not know that format.";
    return nullptr;
}

constexpr char kTablesExpected[] =
    "Expected comma-separated patterns of tables, such as public.todo or audit_*.";
constexpr char kColumnsExpected[] =
    "Expected comma-separated patterns of columns, such as public.todo.task or *_secret.";
constexpr char kSizeExpected[] = "Expected a number of bytes, or one with the unit B, kB or MB.";

constexpr std::size_t kKilobyte = 1u << 10;

const OptionSpec kSpecs[] = {
    {"tables", ParsePatternOption, kTablesExpected, &Options::tables},
    {"exclude_tables", ParsePatternOption, kTablesExpected, &Options::exclude_tables},
    {"exclude_columns", ParsePatternOption, kColumnsExpected, &Options::exclude_columns},
    {"mask_columns", ParsePatternOption, kColumnsExpected, &Options::mask_columns},
    {"ignore_columns", ParsePatternOption, kColumnsExpected, &Options::ignore_columns},
    {"operations", ParseOperations,
     "Expected some of \"create\", \"update\", \"delete\" and \"truncate\", separated by commas."},
    {"messages", ParsePatternOption,
     "Expected comma-separated patterns of message prefixes, such as audit_*.", &Options::messages},
    {"origin", ParseOrigin, "Expected \"any\" or \"none\"."},
    {"keys", ParseKeys, "Expected \"unique\" or \"primary\"."},
    {"quote_numbers", ParseQuoteNumbers,
     "Expected \"none\", \"bigint\", \"numeric\" or \"bigint,numeric\"."},
    {"context_prefix", ParseContextPrefix, "Expected the prefix of the messages of contexts."},
    {"context_scope", ParseContextScope, "Expected \"transaction\" or \"preceding\"."},
    {"context_hold", ParseSizeOption, kSizeExpected, nullptr, &Options::context_hold, 0,
     256 * kMegabyte},
    {"max_context_size", ParseSizeOption, kSizeExpected, nullptr, &Options::max_context_size, 0,
     64 * kMegabyte},
    {"max_record_size", ParseSizeOption, kSizeExpected, nullptr, &Options::max_record_size,
     kKilobyte, 256 * kMegabyte},
    {"batch_size", ParseSizeOption, kSizeExpected, nullptr, &Options::batch_size, 0,
     64 * kMegabyte},
    {"format_version", ParseFormatVersion, "Expected 1."},
};
constexpr int kSpecCount = lengthof(kSpecs);

Options DefaultOptions() {
    Options options = {};
    options.operations = (1u << kOperationCount) - 1;
    options.context_prefix = wire::kContextPrefix;
    options.context_hold = 16 * kMegabyte;
    options.max_context_size = 1 * kMegabyte;
    options.max_record_size = 64 * kMegabyte;
    return options;
}

// `-` and `_` are the same in names.
const char* CanonicalName(const char* given) {
    char* name = pstrdup(given);
    for (char* c = name; *c != '\0'; c++) {
        if (*c == '-')
            *c = '_';
    }
    return name;
}

int FindSpec(std::string_view name) {
    for (int i = 0; i < kSpecCount; i++) {
        if (name == kSpecs[i].name)
            return i;
    }
    return -1;
}

[[noreturn]] void ReportUnknown(const char* given, const char* name) {
    // varstr_levenshtein refuses more than 255 characters, and text that is none.
    constexpr std::size_t kLongest = 63;
    const OptionSpec* nearest = &kSpecs[0];
    int smallest = std::numeric_limits<int>::max();
    const int length =
        static_cast<int>(ClipCharacters(GetDatabaseEncoding(), name, kLongest).size());
    for (const OptionSpec& spec : kSpecs) {
        const int distance = varstr_levenshtein(
            name, length, spec.name, static_cast<int>(std::strlen(spec.name)), 1, 1, 1, true);
        if (distance < smallest) {
            smallest = distance;
            nearest = &spec;
        }
    }
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unrecognized option \"%s\" of output plugin \"bemi_decoder\"", given),
                    errhint("Perhaps you meant the option \"%s\".", nearest->name)));
}

void ParseOne(const OptionSpec& spec, const DefElem* element, Options* options) {
    const char* value = "";
    if (element->arg != nullptr && IsA(element->arg, String))
        value = strVal(element->arg);
    const char* error = *value == '\0' ? "The value is empty." : spec.parse(spec, value, options);
    if (error != nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid value for option \"%s\": \"%s\"", spec.name, value),
                        errdetail("%s", error), errhint("%s", spec.expected)));
}

}  // namespace

Options ParseOptions(List* given) {
    Options options = DefaultOptions();
    bool seen[kSpecCount] = {};
    ListCell* cell;
    foreach (cell, given) {
        const DefElem* element = lfirst_node(DefElem, cell);
        const char* name = CanonicalName(element->defname);
        const int index = FindSpec(name);
        if (index < 0)
            ReportUnknown(element->defname, name);
        if (seen[index])
            ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR),
                            errmsg("option \"%s\" given more than once", kSpecs[index].name)));
        seen[index] = true;
        ParseOne(kSpecs[index], element, &options);
    }
    return options;
}

}  // namespace bemi
