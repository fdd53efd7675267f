// Parts of a string_view without the standard's range check, which throws.
#pragma once

#include <cstddef>
#include <string_view>

namespace bemi {

// What is left behind the first `start` bytes; there are that many.
inline std::string_view Behind(std::string_view text, std::size_t start) {
    return {text.data() + start, text.size() - start};
}

// The first `length` bytes, or all where there are fewer.
inline std::string_view First(std::string_view text, std::size_t length) {
    return {text.data(), length < text.size() ? length : text.size()};
}

}  // namespace bemi
