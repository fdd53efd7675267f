// The only gate to rapidjson, set up for a PostgreSQL backend: an assertion raises an ERROR
// instead of aborting the process (which would restart the whole server), and nothing is ever
// taken from the C++ heap.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bemi {

// Raises an ERROR: an assertion of rapidjson has failed, which is a bug of ours.
[[noreturn]] void JsonAssertionFailed();

}  // namespace bemi

#define RAPIDJSON_ASSERT(condition) ((condition) ? (void)0 : ::bemi::JsonAssertionFailed())
// Reached only where an object was made without an allocator: never here.
#define RAPIDJSON_NEW(object) \
    (::bemi::JsonAssertionFailed(), static_cast<decltype(new object)>(nullptr))
#define RAPIDJSON_DELETE(pointer) ((void)(pointer))

#include <rapidjson/reader.h>
#include <rapidjson/writer.h>
#include <rapidjson/error/en.h>

namespace bemi {

// An allocator of rapidjson's that hands out a block given to it: no server call runs, and no
// ERROR can be raised, underneath the parser. The block must outlive the user.
class JsonArena {
 public:
    static constexpr bool kNeedFree = false;

    JsonArena() : next_(nullptr), end_(nullptr) {}
    JsonArena(char* block, std::size_t size) : next_(block), end_(block + size) {}

    void* Malloc(std::size_t size) {
        size = (size + 15) & ~static_cast<std::size_t>(15);
        if (size > static_cast<std::size_t>(end_ - next_))
            JsonAssertionFailed();
        void* piece = next_;
        next_ += size;
        return piece;
    }

    void* Realloc(void* original, std::size_t original_size, std::size_t new_size) {
        void* piece = Malloc(new_size);
        if (original_size > 0)
            __builtin_memcpy(piece, original, original_size < new_size ? original_size : new_size);
        return piece;
    }

    static void Free(void*) {}

 private:
    char* next_;
    char* end_;
};

}  // namespace bemi
