// An external merge sort: more than memory holds, in the order of the keys' bytes.
//
// Memory is bounded (kMemory, and what one item takes); what is more goes to one temporary file in
// TMPDIR (/tmp), which has no name from the moment it is made, so that it is gone whatever ends the
// command. Throws Failure(kFailed) where that file cannot be made, written or read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bemi::ingest {

// A number as a key, or a part of one: its bytes sort as it does.
void AppendBigEndian(uint64_t number, std::string* out);
uint64_t BigEndian(std::string_view bytes);

struct SortItem {
    std::string_view key, value;
};

// Items that come in one order and leave in another. Add them all, then Sort, then take them.
class ExternalSort {
 public:
    static constexpr size_t kMemory = 48 << 20;

    explicit ExternalSort(size_t memory = kMemory);
    ~ExternalSort();
    ExternalSort(const ExternalSort&) = delete;
    ExternalSort& operator=(const ExternalSort&) = delete;

    // An item is at most 4 GB; items of the same key come out in the order in which they came.
    void Add(std::string_view key, std::string_view value);
    void Sort();
    // False at the end. What `item` shows lives until the next call.
    bool Next(SortItem* item);

 private:
    struct Entry {
        size_t offset;
        uint32_t key_size, value_size;
    };
    class Run;

    void SortEntries();
    void Spill();
    void Write(std::string_view bytes);
    bool NextOfMemory(SortItem* item);
    bool NextOfRuns(SortItem* item);

    size_t memory_;
    std::string bytes_;
    std::vector<Entry> entries_;
    size_t next_ = 0;

    int file_ = -1;
    uint64_t written_ = 0;
    std::vector<uint64_t> run_ends_;
    std::vector<std::unique_ptr<Run>> heap_;
    bool first_taken_ = false;
};

}  // namespace bemi::ingest
