// What the tests of src/common run:
//   common_tool images TYPES [quote] [ascii] [bytes]   lines OID TAB TEXT, as COPY writes text (\N:
//   null) →
//                                                      the decoder's JSON TAB jsonb's text; "error"
//                                                      where there is none
//   common_tool sort MEMORY                            lines KEY TAB VALUE → the same in the order
//   of keys
// TYPES: lines OID TAB KIND TAB OF TAB DELIMITER, and, of an attribute, OID TAB A TAB TYPE TAB
// STORED TAB NAME.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <vector>

#include "canonical_json.hpp"
#include "image_text.hpp"
#include "verify_sort.hpp"

namespace {

std::vector<std::string> Split(const std::string& line) {
    std::vector<std::string> fields(1);
    for (size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\t') {
            fields.emplace_back();
        } else if (line[i] == '\\' && i + 1 < line.size()) {
            const std::string from = "bfnrtv", to = "\b\f\n\r\t\v";
            const size_t at = from.find(line[++i]);
            if (line[i] == 'N' && fields.back().empty())
                fields.back() = std::string(1, '\0');  // null
            else
                fields.back() += at == std::string::npos ? line[i] : to[at];
        } else {
            fields.back() += line[i];
        }
    }
    return fields;
}

bemi::TypeId Id(const std::string& text) {
    return static_cast<bemi::TypeId>(std::strtoul(text.c_str(), nullptr, 10));
}

void ReadTypes(const char* file, bemi::ValueTypes* types) {
    std::ifstream in(file);
    std::unordered_map<bemi::TypeId, bemi::CatalogType> described;
    for (std::string line; std::getline(in, line);) {
        const std::vector<std::string> fields = Split(line);
        bemi::CatalogType& type = described[Id(fields[0])];
        if (fields[1] == "A") {
            type.attributes.push_back({fields[4], Id(fields[2]), fields[3] == "t"});
            continue;
        }
        type.kind = static_cast<bemi::CatalogType::Kind>(fields[1][0]);
        type.of = Id(fields[2]);
        type.delimiter = fields[3][0];
    }
    for (auto& type : described)
        types->Describe(type.first, std::move(type.second));
}

int Images(int argc, char** argv) {
    bemi::ValueTypes types;
    ReadTypes(argv[2], &types);
    bemi::JsonOptions options;
    bool bytes = false;
    for (int i = 3; i < argc; ++i) {
        const std::string word = argv[i];
        options.quote_bigint = options.quote_numeric |= word == "quote";
        options.ascii |= word == "ascii";
        bytes |= word == "bytes";
    }
    for (std::string line; std::getline(std::cin, line);) {
        std::vector<std::string> fields = Split(line);
        std::string json, canonical;
        const bemi::ValueType* type = types.Find(Id(fields[0]));
        const std::string text = bytes ? bemi::FromSqlAscii(fields[1]) : fields[1];
        if (fields[1] == std::string(1, '\0')) {
            std::cout << "null\tnull\n";
            continue;
        }
        bemi::JsonOptions unescaped = options;
        unescaped.ascii = false;
        try {
            bemi::AppendJson(*type, text, options, &json);
            bemi::AppendCanonicalValue(*type, text, unescaped, &canonical);
        } catch (const bemi::ValueError&) {
            json = canonical = "error";
        }
        std::cout << json << '\t' << canonical << '\n';
    }
    return 0;
}

int Sort(const char* memory) {
    bemi::ingest::ExternalSort sort(std::strtoul(memory, nullptr, 10));
    for (std::string line; std::getline(std::cin, line);) {
        const size_t tab = line.find('\t');
        sort.Add(line.substr(0, tab), line.substr(tab + 1));
    }
    sort.Sort();
    bemi::ingest::SortItem item;
    while (sort.Next(&item))
        std::cout << item.key << '\t' << item.value << '\n';
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc > 2 && std::string(argv[1]) == "images")
            return Images(argc, argv);
        if (argc > 2 && std::string(argv[1]) == "sort")
            return Sort(argv[2]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 2;
}
