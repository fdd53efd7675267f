// Joining canonical JSON objects on the level of their members, whose texts stay as they are: equal
// keys are equal bytes, since our Writer escapes a string in one way only.

#include <cstdint>

#include "bemi/text.hpp"
#include "context_merge.hpp"

namespace bemi {

namespace {

struct Member {
    std::string_view key;   // with its quotes
    std::string_view text;  // key, colon and value
};

// To behind the string that begins at `place`.
std::size_t SkipString(std::string_view json, std::size_t place) {
    for (place++; json[place] != '"'; place++) {
        if (json[place] == '\\')
            place++;
    }
    return place + 1;
}

// The members of a canonical object, in order.
class Members {
 public:
    explicit Members(std::string_view object) : json_(object) {}

    bool Next(Member* member) {
        if (place_ + 1 >= json_.size())
            return false;
        const std::size_t start = place_;
        const std::size_t key_end = SkipString(json_, start);
        std::size_t depth = 0;
        for (place_ = key_end; depth > 0 || (json_[place_] != ',' && json_[place_] != '}');) {
            const char c = json_[place_];
            depth += c == '{' || c == '[' ? 1 : 0;
            depth -= c == '}' || c == ']' ? 1 : 0;
            place_ = c == '"' ? SkipString(json_, place_) : place_ + 1;
        }
        member->key = {json_.data() + start, key_end - start};
        member->text = {json_.data() + start, place_ - start};
        place_++;
        return true;
    }

 private:
    std::string_view json_;
    std::size_t place_ = 1;
};

bool IsObject(std::string_view json) {
    return !json.empty() && json[0] == '{';
}
bool IsNone(std::string_view json) {
    return json.empty() || json == "null" || json == "{}";
}

// The keys of an object, found by their hash: contexts come from whoever may send a statement, and
// may have as many as fit.
class KeySet {
 public:
    explicit KeySet(std::string_view object) {
        std::size_t keys = 0;
        Member member;
        for (Members members(object); members.Next(&member);)
            keys++;
        while (size_ < keys * 2)
            size_ *= 2;
        slots_ = static_cast<std::string_view*>(
            MemoryContextAllocHuge(CurrentMemoryContext, size_ * sizeof(std::string_view)));
        for (std::size_t i = 0; i < size_; i++)
            slots_[i] = {};
        for (Members members(object); members.Next(&member);)
            *Find(member.key) = member.key;
    }

    bool Has(std::string_view key) const { return !Find(key)->empty(); }

 private:
    std::string_view* Find(std::string_view key) const {
        std::size_t i = hash_bytes(reinterpret_cast<const unsigned char*>(key.data()),
                                   static_cast<int>(key.size()));
        while (!slots_[i & (size_ - 1)].empty() && slots_[i & (size_ - 1)] != key)
            i++;
        return &slots_[i & (size_ - 1)];
    }

    std::string_view* slots_;
    std::size_t size_ = 8;
};

void PutMember(JsonStream& out, std::size_t start, std::string_view text) {
    out.Put(out.length() == start ? '{' : ',');
    out.Append(text);
}

}  // namespace

void WriteMerged(JsonStream& out, std::string_view weak, std::string_view strong) {
    if (IsNone(strong) || IsNone(weak) || !IsObject(strong) || !IsObject(weak)) {
        const std::string_view only = IsNone(strong) ? weak : strong;
        if (!IsNone(only))
            out.Append(only);
        return;
    }
    const std::size_t start = out.length();
    const KeySet replaced(strong);
    Member member;
    for (Members members(weak); members.Next(&member);) {
        if (!replaced.Has(member.key))
            PutMember(out, start, member.text);
    }
    for (Members members(strong); members.Next(&member);)
        PutMember(out, start, member.text);
    out.Put('}');
}

void WriteWithMember(JsonStream& out, std::string_view context, std::string_view key,
                     std::string_view value) {
    const std::size_t start = out.length();
    Member member;
    if (IsObject(context)) {
        for (Members members(context); members.Next(&member);) {
            const std::string_view name(member.key.data() + 1, member.key.size() - 2);
            if (name != key)
                PutMember(out, start, member.text);
        }
    } else if (!IsNone(context)) {
        PutMember(out, start, "\"context\":");
        out.Append(context);
    }
    PutMember(out, start, "\"");
    out.Append(key);
    out.Append("\":");
    out.Append(value);
    out.Put('}');
}

}  // namespace bemi
