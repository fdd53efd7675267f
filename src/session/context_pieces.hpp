// A context that is put together, key by key, out of many pieces: what is said later replaces what
// was said before. Whoever may send a statement chooses how many there are and how large: time and
// memory grow with their bytes, and with nothing else. What is left out is named in the context
// itself, under the key wire::kDropped, which nobody else can write. Never raises an ERROR for what
// a piece holds.
#pragma once

#include <string_view>

#include "bemi/json_writer.hpp"
#include "session_state.hpp"

namespace bemi {

// All that the pieces may take together, in bytes: what max_context_size can be at most.
inline constexpr std::size_t kMaxPieces = 64u << 20;

class ContextPieces {
 public:
    // In the current memory context, which frees it.
    explicit ContextPieces(bool ascii_only);

    // Pieces are written at the end of this, each behind a Begin.
    JsonStream& text() { return text_; }
    void Begin() { text_.Restart(); }
    // What was written since Begin is one member, whose key takes `key_size` bytes; or a context.
    // Nothing is added, and false returned, where it did not fit. A context's own kDropped counts
    // where it is `trusted`, else it is dropped.
    bool EndMember(std::size_t start, std::size_t key_size);
    bool EndContext(std::size_t start, bool trusted);
    // The same of a canonical context that stands elsewhere.
    bool Add(std::string_view context, bool trusted);

    // Names what is left out, with a phrase why. `name` is in the database's encoding.
    void Drop(std::string_view name, const char* reason);

    // To go back to, where what came since turns out to be none.
    struct Mark {
        std::size_t members;
        std::size_t text;
        std::size_t dropped;
        std::size_t dropped_text;
    };
    Mark mark() const;
    void ForgetSince(const Mark& mark);

    // Drops members, the largest first, until those that came since `first` take `limit` bytes at
    // most.
    void Limit(std::size_t first, std::size_t limit);

    // Whether there is nothing to write: no context, and nothing that was left out.
    bool IsEmpty() const {
        return member_count_ == first_member_ && value_size_ == 0 && dropped_count_ == 0;
    }
    // Writes the context at the end of `out`; nothing for none.
    void Write(JsonStream& out);

 private:
    struct Member {
        std::size_t start;  // in text_
        std::size_t key_size;
        std::size_t size;  // 0 once it is gone
    };

    std::string_view KeyOf(const Member& member) const {
        return {text_.view().data() + member.start, member.key_size};
    }
    void Push(std::size_t start, std::size_t key_size, std::size_t size);
    bool BeginDropped();
    void DropMember(Member* member, const char* reason);
    void TakeDropped(std::string_view object);
    void RemoveReplaced();
    void RemoveReplacedByHash();
    void PutDropped(JsonStream& out);

    JsonStream text_;
    JsonStream dropped_;  // members of kDropped; good where there are any
    Member* members_ = nullptr;
    std::size_t member_count_ = 0;
    std::size_t member_room_ = 0;
    std::size_t dropped_count_ = 0;
    std::size_t first_member_ = 0;  // those before it were replaced by a context that is no object
    // That context, which counts where nothing came since.
    std::size_t value_start_ = 0;
    std::size_t value_size_ = 0;
};

// Writes `context` with the member `key` taken to be `value` (JSON) and nothing else. What is no
// object becomes the member "context" of one.
void WriteWithMember(JsonStream& out, std::string_view context, std::string_view key,
                     std::string_view value);

}  // namespace bemi
