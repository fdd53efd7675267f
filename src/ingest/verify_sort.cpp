// An external merge sort: runs that fill the buffer go to a file without a name, and are merged
// from there.
#include "verify_sort.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "errors.hpp"

namespace bemi::ingest {

namespace {

// What all runs together may buffer while they are merged, and the least that one does.
constexpr size_t kMergeMemory = 32 << 20;
constexpr size_t kLeastBuffer = 4 << 10;

std::string Folder() {
    const char* folder = std::getenv("TMPDIR");
    return folder != nullptr && *folder != '\0' ? folder : "/tmp";
}

[[noreturn]] void Fail(const char* what) {
    throw Failure(Exit::kFailed,
                  std::string("cannot ") + what + " a temporary file in " + Folder() + ": " +
                      std::strerror(errno),
                  "make room there, or set TMPDIR to a folder that has it");
}

int MakeFile() {
    std::string name = Folder() + "/bemi_ingest_XXXXXX";
    int file = mkostemp(name.data(), O_CLOEXEC);
    if (file < 0)
        Fail("make");
    unlink(name.c_str());
    return file;
}

}  // namespace

void AppendBigEndian(uint64_t number, std::string* out) {
    for (int shift = 56; shift >= 0; shift -= 8)
        out->push_back(static_cast<char>(number >> shift));
}

uint64_t BigEndian(std::string_view bytes) {
    uint64_t number = 0;
    for (char c : bytes)
        number = number << 8 | static_cast<unsigned char>(c);
    return number;
}

// A sorted part of the file, read through a buffer.
class ExternalSort::Run {
 public:
    Run(int file, uint64_t start, uint64_t end, size_t buffer)
        : file_(file), offset_(start), end_(end), least_(buffer) {}

    // False at the end.
    bool Next() {
        uint32_t sizes[2];
        if (at_ == buffer_.size() && offset_ == end_)
            return false;
        Need(sizeof sizes);
        std::memcpy(sizes, buffer_.data() + at_, sizeof sizes);
        at_ += sizeof sizes;
        Need(size_t{sizes[0]} + sizes[1]);
        item_.key = std::string_view(buffer_).substr(at_, sizes[0]);
        item_.value = std::string_view(buffer_).substr(at_ + sizes[0], sizes[1]);
        at_ += size_t{sizes[0]} + sizes[1];
        return true;
    }
    const SortItem& item() const { return item_; }
    uint64_t end() const { return end_; }

 private:
    // Makes so many bytes available at at_.
    void Need(size_t bytes) {
        if (buffer_.size() - at_ >= bytes)
            return;
        buffer_.erase(0, at_);
        at_ = 0;
        const size_t had = buffer_.size();
        const size_t want = std::max(bytes - had, least_);
        buffer_.resize(had + static_cast<size_t>(std::min<uint64_t>(want, end_ - offset_)));
        for (size_t done = had; done < buffer_.size();) {
            const ssize_t got = pread(file_, buffer_.data() + done, buffer_.size() - done,
                                      static_cast<off_t>(offset_));
            if (got < 0 && errno == EINTR)
                continue;
            if (got == 0)
                errno = EIO;
            if (got <= 0)
                Fail("read");
            done += static_cast<size_t>(got);
            offset_ += static_cast<uint64_t>(got);
        }
    }

    const int file_;
    uint64_t offset_;
    const uint64_t end_;
    const size_t least_;
    std::string buffer_;
    size_t at_ = 0;
    SortItem item_;
};

ExternalSort::ExternalSort(size_t memory) : memory_(memory) {}

ExternalSort::~ExternalSort() {
    if (file_ >= 0)
        close(file_);
}

void ExternalSort::Add(std::string_view key, std::string_view value) {
    const size_t more = key.size() + value.size();
    if (!entries_.empty() && bytes_.size() + more + (entries_.size() + 1) * sizeof(Entry) > memory_)
        Spill();
    entries_.push_back(
        {bytes_.size(), static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value.size())});
    bytes_.append(key).append(value);
}

// Stable by the offset: items of a key stay in the order in which they came.
void ExternalSort::SortEntries() {
    const char* const bytes = bytes_.data();
    std::sort(entries_.begin(), entries_.end(), [bytes](const Entry& a, const Entry& b) {
        const int order =
            std::memcmp(bytes + a.offset, bytes + b.offset, std::min(a.key_size, b.key_size));
        if (order != 0)
            return order < 0;
        return a.key_size != b.key_size ? a.key_size < b.key_size : a.offset < b.offset;
    });
}

void ExternalSort::Write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t done = write(file_, bytes.data(), bytes.size());
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            Fail("write");
        bytes.remove_prefix(static_cast<size_t>(done));
        written_ += static_cast<uint64_t>(done);
    }
}

void ExternalSort::Spill() {
    constexpr size_t kChunk = 256 << 10;
    if (file_ < 0)
        file_ = MakeFile();
    SortEntries();
    std::string chunk;
    for (const Entry& entry : entries_) {
        const uint32_t sizes[] = {entry.key_size, entry.value_size};
        chunk.append(reinterpret_cast<const char*>(sizes), sizeof sizes);
        chunk.append(bytes_, entry.offset, size_t{entry.key_size} + entry.value_size);
        if (chunk.size() < kChunk)
            continue;
        Write(chunk);
        chunk.clear();
    }
    Write(chunk);
    run_ends_.push_back(written_);
    bytes_.clear();
    entries_.clear();
}

namespace {

// Of the heap: what comes first is at its front. Runs in their order where keys are the same.
template <typename Pointer>
bool IsBehind(const Pointer& a, const Pointer& b) {
    const int order = a->item().key.compare(b->item().key);
    return order != 0 ? order > 0 : a->end() > b->end();
}

}  // namespace

void ExternalSort::Sort() {
    if (run_ends_.empty())
        return SortEntries();
    if (!entries_.empty())
        Spill();
    bytes_.shrink_to_fit();
    entries_.shrink_to_fit();
    const size_t buffer = std::max(kMergeMemory / run_ends_.size(), kLeastBuffer);
    uint64_t start = 0;
    for (uint64_t end : run_ends_) {
        auto run = std::make_unique<Run>(file_, start, end, buffer);
        if (run->Next())
            heap_.push_back(std::move(run));
        start = end;
    }
    std::make_heap(heap_.begin(), heap_.end(), IsBehind<std::unique_ptr<Run>>);
}

bool ExternalSort::NextOfMemory(SortItem* item) {
    if (next_ == entries_.size())
        return false;
    const Entry& entry = entries_[next_++];
    const std::string_view bytes = bytes_;
    item->key = bytes.substr(entry.offset, entry.key_size);
    item->value = bytes.substr(entry.offset + entry.key_size, entry.value_size);
    return true;
}

// The run whose item was taken last is at the front, and moves on only now.
bool ExternalSort::NextOfRuns(SortItem* item) {
    const auto behind = IsBehind<std::unique_ptr<Run>>;
    if (first_taken_) {
        std::pop_heap(heap_.begin(), heap_.end(), behind);
        if (heap_.back()->Next())
            std::push_heap(heap_.begin(), heap_.end(), behind);
        else
            heap_.pop_back();
    }
    first_taken_ = true;
    if (heap_.empty())
        return false;
    *item = heap_.front()->item();
    return true;
}

bool ExternalSort::Next(SortItem* item) {
    return run_ends_.empty() ? NextOfMemory(item) : NextOfRuns(item);
}

}  // namespace bemi::ingest
