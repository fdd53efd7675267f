// Fuzzes bemi_ingest's reader of records, and of the strings in them: no input makes it read
// beyond the text, and what it takes apart lies inside of it.
//
// sources: src/ingest/record.cpp
// sources: src/ingest/unescape.cpp
// sources: src/ingest/timestamp.cpp
// include: src/ingest

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "record.hpp"

namespace {

void Require(bool condition) {
    if (!condition)
        abort();
}

void CheckSlice(std::string_view text, std::string_view slice, std::string_view other) {
    Require(
        slice.data() == nullptr || slice == other ||
        (slice.data() >= text.data() && slice.data() + slice.size() <= text.data() + text.size()));
}

void CheckString(std::string_view text, std::string_view slice) {
    CheckSlice(text, slice, {});
    std::string out = "kept";
    try {
        bemi::ingest::Unescape(slice, &out);
    } catch (const bemi::ingest::BadRecord&) {
    }
    Require(out.compare(0, 4, "kept") == 0 && out.size() <= 4 + slice.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Exactly as long as it is, so that one byte too far is seen.
    const std::unique_ptr<char[]> copy(new char[size]);
    if (size > 0)
        std::memcpy(copy.get(), data, size);
    const std::string_view text(copy.get(), size);
    try {
        const bemi::ingest::Record record = bemi::ingest::ScanRecord(text);
        for (std::string_view slice : {record.operation, record.database, record.schema,
                                       record.table, record.primary_key, record.previous_key})
            CheckString(text, slice);
        for (std::string_view slice : {record.before, record.after, record.context})
            CheckSlice(text, slice, "{}");
        Require(record.detail_count >= 0 &&
                record.detail_count <= static_cast<int>(record.details.size()));
        for (int i = 0; i < record.detail_count; i++)
            CheckSlice(text, record.details[static_cast<std::size_t>(i)], {});
    } catch (const bemi::ingest::BadRecord&) {
    }
    return 0;
}
