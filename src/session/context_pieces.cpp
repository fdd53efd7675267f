// Putting contexts together.

#include <cstring>

#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "context_pieces.hpp"
#include "json_members.hpp"
#include "session_state.hpp"

namespace bemi {

namespace {

constexpr std::size_t kMaxNamed = 16;    // so many of what is left out are named, others counted
constexpr std::size_t kMaxName = 64;     // bytes of a name
constexpr std::size_t kFewMembers = 16;  // so many are compared with each other
constexpr std::size_t kMaxReason = 256;  // bytes
constexpr std::string_view kOthers = "\"(others)\":";

std::string_view DroppedKey() {
    static char quoted[sizeof(wire::kDropped) + 2];
    static std::size_t size = 0;
    if (size == 0)
        size = static_cast<std::size_t>(snprintf(quoted, sizeof(quoted), "\"%s\"", wire::kDropped));
    return {quoted, size};
}

// The first bytes of what is inside of a JSON string, cut between characters.
std::string_view CutJsonString(std::string_view inside) {
    std::size_t end = 0;
    while (end < inside.size()) {
        const unsigned char c = static_cast<unsigned char>(inside[end]);
        std::size_t size = c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        if (c == '\\')
            size = inside[end + 1] != 'u' ? 2 : 6;
        if (size == 6 && inside[end + 2] == 'd' && std::strchr("89ab", inside[end + 3]) != nullptr)
            size = 12;  // a pair
        if (end + size > kMaxName)
            break;
        end += size;
    }
    return First(inside, end);
}

// Chosen anew by each process, so that nobody can make keys that collide.
std::uint64_t HashSeed() {
    static std::uint64_t seed = 0;
    if (seed == 0 && !pg_strong_random(&seed, sizeof(seed)))
        seed = static_cast<std::uint64_t>(MyProcPid);
    return seed;
}

struct SizedMember {
    std::size_t size;
    std::size_t index;
};

int LargestFirst(const void* a, const void* b) {
    const SizedMember* const left = static_cast<const SizedMember*>(a);
    const SizedMember* const right = static_cast<const SizedMember*>(b);
    if (left->size != right->size)
        return left->size > right->size ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

}  // namespace

ContextPieces::ContextPieces(bool ascii_only) {
    text_.Init(CurrentMemoryContext, ascii_only);
    text_.SetLimit(kMaxPieces);
}

void ContextPieces::Push(std::size_t start, std::size_t key_size, std::size_t size) {
    if (member_count_ == member_room_) {
        member_room_ = member_room_ == 0 ? 16 : member_room_ * 2;
        const std::size_t bytes = member_room_ * sizeof(Member);
        members_ = static_cast<Member*>(members_ == nullptr
                                            ? MemoryContextAllocHuge(CurrentMemoryContext, bytes)
                                            : repalloc_huge(members_, bytes));
    }
    members_[member_count_++] = {start, key_size, size};
}

bool ContextPieces::EndMember(std::size_t start, std::size_t key_size) {
    if (!text_.succeeded()) {
        text_.Rewind(start);
        return false;
    }
    Push(start, key_size, text_.length() - start);
    if (KeyOf(members_[member_count_ - 1]) == DroppedKey()) {
        member_count_--;
        text_.Rewind(start);
        Drop(wire::kDropped, "only the server writes it");
    }
    return true;
}

bool ContextPieces::EndContext(std::size_t start, bool trusted) {
    if (!text_.succeeded()) {
        text_.Rewind(start);
        return false;
    }
    const std::string_view context = Behind(text_.view(), start);
    if (IsNoContext(context))
        return true;
    if (!IsJsonObject(context)) {
        value_start_ = start;
        value_size_ = context.size();
        first_member_ = member_count_;
        return true;
    }
    JsonMember member;
    for (JsonMembers members(context); members.Next(&member);) {
        if (member.key != DroppedKey())
            Push(static_cast<std::size_t>(member.text.data() - text_.data()), member.key.size(),
                 member.text.size());
        else if (trusted)
            TakeDropped(Behind(member.text, member.key.size() + 1));
        else
            Drop(wire::kDropped, "only the server writes it");
    }
    return true;
}

bool ContextPieces::Add(std::string_view context, bool trusted) {
    Begin();
    const std::size_t start = text_.length();
    text_.Append(context);
    return EndContext(start, trusted);
}

ContextPieces::Mark ContextPieces::mark() const {
    return {member_count_, text_.length(), dropped_count_,
            dropped_count_ > 0 ? dropped_.length() : 0};
}

void ContextPieces::ForgetSince(const Mark& mark) {
    member_count_ = mark.members;
    text_.Rewind(mark.text);
    dropped_count_ = mark.dropped;
    if (dropped_count_ > 0)
        dropped_.Rewind(mark.dropped_text);
}

// False where no more are named.
bool ContextPieces::BeginDropped() {
    if (dropped_count_++ >= kMaxNamed)
        return false;
    if (dropped_count_ == 1)
        dropped_.Init(CurrentMemoryContext, text_.ascii_only());
    else
        dropped_.Put(',');
    return true;
}

void ContextPieces::Drop(std::string_view name, const char* reason) {
    name = CutText(name, kMaxName);
    ereport(DEBUG1, (errmsg("bemi_session: dropped \"%.*s\": %s", static_cast<int>(name.size()),
                            name.data(), reason)));
    if (!BeginDropped())
        return;
    WriteIdentifier(dropped_, SessionEncoding(), name);
    dropped_.Put(':');
    WriteIdentifier(dropped_, SessionEncoding(), CutText(reason, kMaxReason));
}

void ContextPieces::DropMember(Member* member, const char* reason) {
    member->size = 0;
    if (!BeginDropped())
        return;
    const std::string_view key = KeyOf(*member);
    dropped_.Put('"');
    dropped_.Append(CutJsonString({key.data() + 1, key.size() - 2}));
    dropped_.Append("\":");
    WriteUtf8String(dropped_, reason);
}

// An object that PutDropped has written.
void ContextPieces::TakeDropped(std::string_view object) {
    JsonMember member;
    for (JsonMembers members(object); IsJsonObject(object) && members.Next(&member);) {
        if (BeginDropped())
            dropped_.Append(member.text);
    }
}

void ContextPieces::PutDropped(JsonStream& out) {
    out.Append(DroppedKey());
    out.Append(":{");
    out.Append(dropped_.view());
    if (dropped_count_ > kMaxNamed) {
        out.Put(',');
        out.Append(kOthers);
        WriteUnsigned(out, dropped_count_ - kMaxNamed);
    }
    out.Put('}');
}

// Of members with one key, the last stays.
void ContextPieces::RemoveReplaced() {
    if (member_count_ - first_member_ > kFewMembers) {
        RemoveReplacedByHash();
        return;
    }
    for (std::size_t i = first_member_; i < member_count_; i++) {
        for (std::size_t later = i + 1; later < member_count_; later++) {
            if (KeyOf(members_[i]) == KeyOf(members_[later]))
                members_[i].size = 0;
        }
    }
}

void ContextPieces::RemoveReplacedByHash() {
    std::size_t size = kFewMembers;
    while (size < (member_count_ - first_member_) * 2)
        size *= 2;
    Member** const slots =
        static_cast<Member**>(MemoryContextAllocHuge(CurrentMemoryContext, size * sizeof(Member*)));
    for (std::size_t i = 0; i < size; i++)
        slots[i] = nullptr;
    for (std::size_t i = member_count_; i-- > first_member_;) {
        CHECK_FOR_INTERRUPTS();
        const std::string_view key = KeyOf(members_[i]);
        std::size_t slot = hash_bytes_extended(reinterpret_cast<const unsigned char*>(key.data()),
                                               static_cast<int>(key.size()), HashSeed());
        while (slots[slot & (size - 1)] != nullptr && KeyOf(*slots[slot & (size - 1)]) != key)
            slot++;
        if (slots[slot & (size - 1)] == nullptr)
            slots[slot & (size - 1)] = &members_[i];
        else
            members_[i].size = 0;
    }
    pfree(slots);
}

void ContextPieces::Limit(std::size_t first, std::size_t limit) {
    RemoveReplaced();
    first = first > first_member_ ? first : first_member_;
    std::size_t total = 0;
    for (std::size_t i = first; i < member_count_; i++)
        total += members_[i].size + 1;
    if (total <= limit)
        return;
    SizedMember* const by_size = static_cast<SizedMember*>(MemoryContextAllocHuge(
        CurrentMemoryContext, (member_count_ - first) * sizeof(SizedMember)));
    for (std::size_t i = first; i < member_count_; i++)
        by_size[i - first] = {members_[i].size, i};
    qsort(by_size, member_count_ - first, sizeof(SizedMember), LargestFirst);
    for (std::size_t i = 0; total > limit; i++) {
        total -= by_size[i].size + 1;
        DropMember(&members_[by_size[i].index], "there is no room for it");
    }
    pfree(by_size);
}

void ContextPieces::Write(JsonStream& out) {
    RemoveReplaced();
    const std::size_t start = out.length();
    auto next = [&out, start] { out.Put(out.length() == start ? '{' : ','); };
    const bool is_value = value_size_ > 0 && member_count_ == first_member_;
    const std::string_view value = {text_.view().data() + value_start_, value_size_};
    if (is_value && dropped_count_ == 0) {
        out.Append(value);
        return;
    }
    if (is_value) {
        next();
        out.Append("\"context\":");
        out.Append(value);
    }
    for (std::size_t i = first_member_; i < member_count_; i++) {
        if (members_[i].size == 0)
            continue;
        next();
        out.Append(text_.view().data() + members_[i].start, members_[i].size);
    }
    if (dropped_count_ > 0) {
        next();
        PutDropped(out);
    }
    if (out.length() > start)
        out.Put('}');
}

void WriteWithMember(JsonStream& out, std::string_view context, std::string_view key,
                     std::string_view value) {
    const std::size_t start = out.length();
    auto next = [&out, start] { out.Put(out.length() == start ? '{' : ','); };
    JsonMember member;
    if (IsJsonObject(context)) {
        for (JsonMembers members(context); members.Next(&member);) {
            const std::string_view name(member.key.data() + 1, member.key.size() - 2);
            if (name == key)
                continue;
            next();
            out.Append(member.text);
        }
    } else if (!IsNoContext(context)) {
        next();
        out.Append("\"context\":");
        out.Append(context);
    }
    next();
    out.Put('"');
    out.Append(key);
    out.Append("\":");
    out.Append(value);
    out.Put('}');
}

}  // namespace bemi
