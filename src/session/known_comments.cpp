// A text that comes again is known by its bytes, all of which are compared: where it stands says
// nothing, since the server copies a prepared statement's text for each of its runs. So that a text
// is found, its length and some of its bytes are enough.

#include <cstring>

#include "bemi/pg.hpp"
#include "known_comments.hpp"
#include "session_state.hpp"
#include "statement_comments.hpp"

namespace bemi {

namespace {

constexpr std::size_t kMaxText = 4096;  // bytes; longer ones are read each time
constexpr unsigned kSetBits = 6;
constexpr unsigned kWays = 2;  // texts that a set has room for

struct Known {
    std::size_t text_size;  // 0 for none
    int location;
    int length;
    bool backslash_escapes;
    char* bytes;  // the text, and what was gathered behind it
    std::size_t room;
    std::size_t gathered_size;
};
struct Set {
    Known ways[kWays];
    unsigned oldest;
};
Set sets[1u << kSetBits];

std::uint64_t Word(const char* bytes) {
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof(word));
    return word;
}

Set* SetOf(std::string_view text, int location) {
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    std::uint64_t sum = text.size() * 31 + static_cast<unsigned>(location);
    if (text.size() >= kWord) {
        const std::size_t last = text.size() - kWord;
        for (const std::size_t place : {last / 4, last / 2, last})
            sum = sum * UINT64CONST(0x9E3779B97F4A7C15) + Word(text.data() + place);
    }
    return &sets[sum * UINT64CONST(0x9E3779B97F4A7C15) >> (64 - kSetBits)];
}

bool IsThat(const Known& known, std::string_view text, const StatementText& statement) {
    return known.text_size == text.size() && known.location == statement.location &&
           known.length == statement.length && known.backslash_escapes == BackslashesEscape() &&
           std::memcmp(known.bytes, text.data(), text.size()) == 0;
}

void Keep(Set* set, std::string_view text, const StatementText& statement,
          std::string_view gathered) {
    Known* const known = &set->ways[set->oldest];
    set->oldest = (set->oldest + 1) % kWays;
    known->text_size = 0;  // should memory run out
    const std::size_t size = text.size() + gathered.size();
    if (known->room < size) {
        const std::size_t room = pg_nextpower2_size_t(size);
        known->bytes =
            static_cast<char*>(known->bytes == nullptr ? MemoryContextAlloc(SessionMemory(), room)
                                                       : repalloc(known->bytes, room));
        known->room = room;
    }
    std::memcpy(known->bytes, text.data(), text.size());
    std::memcpy(known->bytes + text.size(), gathered.data(), gathered.size());
    known->location = statement.location;
    known->length = statement.length;
    known->backslash_escapes = BackslashesEscape();
    known->gathered_size = gathered.size();
    known->text_size = text.size();
}

}  // namespace

std::string_view CommentsOf(const StatementText& statement) {
    static JsonStream gathered;
    static bool is_prepared = false;
    // A long text is not measured: each of the statements in it would do so.
    const std::string_view text(statement.text, strnlen(statement.text, kMaxText + 1));
    const bool is_short = !text.empty() && text.size() <= kMaxText;
    Set* const set = is_short ? SetOf(text, statement.location) : nullptr;
    for (unsigned i = 0; is_short && i < kWays; i++) {
        const Known& known = set->ways[i];
        if (IsThat(known, text, statement))
            return {known.bytes + known.text_size, known.gathered_size};
    }
    if (!is_prepared) {
        gathered.Init(SessionMemory(), false);
        gathered.SetLimit(JsonStream::kMaxLength);
        is_prepared = true;
    }
    gathered.Clear();
    GatherComments(gathered, statement);
    if (is_short)
        Keep(set, text, statement, gathered.view());
    return gathered.view();
}

}  // namespace bemi
