#include "units.hpp"

#include <cstdio>

#include "print.hpp"

namespace bemi::ingest {

namespace {

struct Unit {
    std::string_view name;
    int64_t factor;
};

constexpr Unit kSizes[] = {{"", 1},           {"B", 1},          {"kB", 1LL << 10},
                           {"MB", 1LL << 20}, {"GB", 1LL << 30}, {"TB", 1LL << 40}};
constexpr Unit kTimes[] = {{"ms", 1},      {"s", 1000},     {"min", 60000},
                           {"h", 3600000}, {"d", 86400000}, {"w", 7 * 86400000LL}};

template <size_t n>
std::optional<int64_t> Parse(std::string_view text, const Unit (&units)[n]) {
    int64_t value = 0;
    size_t at = 0;
    while (at < text.size() && at < 12 && text[at] >= '0' && text[at] <= '9')
        value = value * 10 + (text[at++] - '0');
    if (at == 0)
        return std::nullopt;
    while (at < text.size() && text[at] == ' ')
        ++at;
    for (const Unit& unit : units) {
        if (unit.name == text.substr(at) && value < INT64_MAX / unit.factor)
            return value * unit.factor;
    }
    return std::nullopt;
}

// Beyond 16 bits as the two halves that UTF-16 has.
void AppendJsonEscape(unsigned long code_point, std::string* out) {
    char text[48];
    if (code_point <= 0xFFFF)
        std::snprintf(text, sizeof text, "\\u%04lx", code_point);
    else
        std::snprintf(text, sizeof text, "\\u%04lx\\u%04lx", 0xD7C0 + (code_point >> 10),
                      0xDC00 + (code_point & 0x3FF));
    *out += text;
}

}  // namespace

std::optional<uint64_t> ParseSize(std::string_view text) {
    auto size = Parse(text, kSizes);
    return size ? std::optional<uint64_t>(static_cast<uint64_t>(*size)) : std::nullopt;
}

std::optional<int64_t> ParseDuration(std::string_view text) {
    return Parse(text, kTimes);
}

std::string FormatSize(double bytes) {
    static const char* const kNames[] = {"bytes", "kB", "MB", "GB", "TB"};
    int unit = 0;
    for (; bytes >= 1024 && unit < 4; ++unit)
        bytes /= 1024;
    char text[40];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kNames[unit]);
    return text;
}

std::string FormatSeconds(double seconds) {
    char text[60];
    auto whole = static_cast<long long>(seconds);
    if (seconds < 60)
        std::snprintf(text, sizeof text, "%.1f s", seconds);
    else if (whole < 3600)
        std::snprintf(text, sizeof text, "%lld min %lld s", whole / 60, whole % 60);
    else if (whole < 86400)
        std::snprintf(text, sizeof text, "%lld h %lld min", whole / 3600, whole / 60 % 60);
    else
        std::snprintf(text, sizeof text, "%lld d %lld h", whole / 86400, whole / 3600 % 24);
    return text;
}

std::string FormatCount(uint64_t count) {
    std::string text = std::to_string(count);
    for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<size_t>(at), ",");
    return text;
}

std::string FormatNumber(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

std::string JsonString(std::string_view s) {
    std::string out = "\"";
    while (!s.empty()) {
        const Character c = TakeCharacter(&s);
        if (c.bytes == "\"" || c.bytes == "\\")
            out.append("\\").append(c.bytes);
        else if (c.code_point >= 0 &&
                 (c.code_point < 0x20 || IsUnprintable(static_cast<char32_t>(c.code_point))))
            AppendJsonEscape(static_cast<unsigned long>(c.code_point), &out);
        else
            out += c.bytes;
    }
    return out + '"';
}

}  // namespace bemi::ingest
