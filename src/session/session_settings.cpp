// The session library's settings.

#include <cstring>
#include <string_view>

#include "bemi/json_check.hpp"
#include "bemi/placeholder.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"

namespace bemi {

namespace {

char* context_value = nullptr;
char* comments_value = nullptr;
char* include_value = nullptr;
std::uint64_t context_changes = 1;
unsigned comments = 0;
unsigned include = 0;

struct Word {
    const char* word;
    unsigned bit;
};
const Word kCommentWords[] = {{"bemi", kBemiComments}, {"sqlcommenter", kSqlCommenter}};
const Word kIncludeWords[] = {{"user", kIncludeUser},
                              {"application_name", kIncludeApplicationName},
                              {"client", kIncludeClient},
                              {"query", kIncludeQuery}};

bool IsBlank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
std::string_view Trim(std::string_view text) {
    while (!text.empty() && IsBlank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && IsBlank(text.back()))
        text.remove_suffix(1);
    return text;
}

// The bits of a comma-separated list; false with the word that is none of them in `unknown`.
template <std::size_t count>
bool ReadWords(std::string_view list, const Word (&words)[count], unsigned* bits,
               std::string_view* unknown) {
    *bits = 0;
    list = Trim(list);
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        const std::string_view name = Trim(First(list, comma));
        list = comma == std::string_view::npos ? std::string_view() : Behind(list, comma + 1);
        unsigned bit = 0;
        for (const Word& word : words) {
            if (name.size() == std::strlen(word.word) &&
                pg_strncasecmp(name.data(), word.word, name.size()) == 0)
                bit = word.bit;
        }
        *unknown = name;
        if (bit == 0)
            return false;
        *bits |= bit;
        // Something must follow a comma.
        if (comma != std::string_view::npos && list.empty()) {
            *unknown = {};
            return false;
        }
    }
    return true;
}

template <std::size_t count>
bool CheckWords(const char* value, const Word (&words)[count], const char* hint) {
    unsigned bits;
    std::string_view unknown;
    if (ReadWords(value, words, &bits, &unknown))
        return true;
    GUC_check_errdetail("Unrecognized key word: \"%.*s\".", static_cast<int>(unknown.size()),
                        unknown.data());
    GUC_check_errhint("%s", hint);
    return false;
}

// Before a database is connected its encoding is not known: bytes beyond ASCII then count as
// letters.
const char* JsonError(std::string_view text) {
    char* copy = static_cast<char*>(MemoryContextAllocHuge(CurrentMemoryContext, text.size() + 1));
    std::memcpy(copy, text.data(), text.size());
    for (std::size_t i = 0; GetDatabaseEncoding() != PG_UTF8 && i < text.size(); i++) {
        if (static_cast<unsigned char>(copy[i]) >= 0x80)
            copy[i] = 'x';
    }
    JsonStream out;
    out.Init(CurrentMemoryContext, false);
    out.SetLimit(JsonStream::kMaxLength);
    return WriteCheckedJson(out, {copy, text.size()}, wire::kMaxContextDepth);
}

// White space around the value goes: it says nothing, and bemi.set_context knows by it that the
// library is there.
bool CheckContext(char** value, void**, GucSource) {
    const std::string_view text = Trim(*value);
    std::memmove(*value, text.data(), text.size());
    (*value)[text.size()] = '\0';
    // A parallel worker takes what its leader has.
    if (**value == '\0' || InitializingParallelWorker)
        return true;
    const MemoryContext scratch =
        AllocSetContextCreateInternal(CurrentMemoryContext, "bemi.context", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext previous = MemoryContextSwitchTo(scratch);
    const char* error = JsonError({*value, std::strlen(*value)});
    MemoryContextSwitchTo(previous);
    if (error != nullptr) {
        GUC_check_errdetail("A context is JSON that jsonb takes: %s.", error);
        GUC_check_errhint("Give an object such as {\"userId\": 7}, or an empty string for none.");
    }
    MemoryContextDelete(scratch);
    return error == nullptr;
}

void AssignContext(const char*, void*) {
    context_changes++;
    ContextMayDiffer();
}

bool CheckComments(char** value, void**, GucSource) {
    return CheckWords(*value, kCommentWords, "Available values: bemi, sqlcommenter.");
}

void AssignComments(const char* value, void*) {
    std::string_view unknown;
    ReadWords(value, kCommentWords, &comments, &unknown);
    ContextMayDiffer();
}

// Whether a setting of the decoder hides values: its present value, or one that a client without
// the right to has put in front of the server's (the decoder's library need not be loaded here, and
// its setting is then anybody's).
bool MaskIsSet(const char* name) {
    const char* value = GetConfigOption(name, true, false);
    if (value == nullptr || *value != '\0')
        return value != nullptr;
    const config_generic* const setting = FindSetting(name);
    if (setting == nullptr || setting->vartype != PGC_STRING)
        return false;
    const char* const reset = ResetValue(setting);
    return (reset != nullptr && *reset != '\0') || IsForeignOverride(setting);
}
bool QueryIsMasked() {
    return MaskIsSet("bemi.mask_columns") || MaskIsSet("bemi.exclude_columns");
}

// What comes from a file or a role is not refused as a whole, which would switch off the rest of it
// too.
bool CheckInclude(char** value, void**, GucSource source) {
    if (!CheckWords(*value, kIncludeWords,
                    "Available values: user, application_name, client, query."))
        return false;
    unsigned bits;
    std::string_view unknown;
    ReadWords(*value, kIncludeWords, &bits, &unknown);
    if ((bits & kIncludeQuery) == 0 || source < PGC_S_INTERACTIVE || InitializingParallelWorker ||
        !QueryIsMasked())
        return true;
    GUC_check_errdetail(
        "The text of a query shows values that bemi.mask_columns or bemi.exclude_columns hides.");
    GUC_check_errhint("Leave out query.");
    return false;
}

void AssignInclude(const char* value, void*) {
    std::string_view unknown;
    ReadWords(value, kIncludeWords, &include, &unknown);
    ContextMayDiffer();
}

}  // namespace

void DefineSessionSettings() {
    ForEachSetting([](const config_generic* setting) {
        if (pg_strcasecmp(setting->name, "bemi.include") == 0)
            RefuseOverride(setting, "bemi.include");
    });
    DefineCustomStringVariable("bemi.context", "The application context of what is changed.",
                               "JSON, such as {\"userId\": 7}; empty for none.", &context_value, "",
                               PGC_USERSET, 0, CheckContext, AssignContext, nullptr);
    DefineCustomStringVariable("bemi.comments",
                               "Comments of a statement that its context is read from.",
                               "Some of bemi, sqlcommenter.", &comments_value, "bemi, sqlcommenter",
                               PGC_USERSET, GUC_LIST_INPUT, CheckComments, AssignComments, nullptr);
    DefineCustomStringVariable("bemi.include",
                               "What the key \"session\" of a context tells of the session.",
                               "Some of user, application_name, client, query.", &include_value, "",
                               PGC_SUSET, GUC_LIST_INPUT, CheckInclude, AssignInclude, nullptr);
}

SessionSettings CurrentSessionSettings() {
    unsigned included = include;
    if ((included & kIncludeQuery) != 0 && QueryIsMasked())
        included &= ~static_cast<unsigned>(kIncludeQuery);
    return {context_value, context_changes, comments, included};
}

bool IncludesSession() {
    return include != 0;
}

}  // namespace bemi
