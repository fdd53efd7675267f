// The files of sql/, embedded when the program is built, in the order of their names.
#pragma once

#include <cstddef>
#include <string>

namespace bemi::ingest {

struct SqlFile {
    const char* name;
    const char* text;
};

extern const SqlFile kSqlFiles[];
extern const size_t kSqlFileCount;
extern const char kSqlFingerprint[];  // a sum over all of them

}  // namespace bemi::ingest
