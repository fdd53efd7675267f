// A stack of contexts: an entry for each open subtransaction that wrote one, the innermost on top.
// A subtransaction that commits hands its entry to its parent; one that is rolled back takes it
// along.

#include <cstring>
#include <utility>

#include "in_force.hpp"
#include "session_state.hpp"

namespace bemi {

namespace {

struct Entry {
    int level;  // of nested transactions; 1 is the transaction itself
    bool is_known;
    bool is_known_below;  // false: none of the entries below is known, which stays so
    char* text;           // and the comments behind it
    std::size_t length;
    std::size_t comments_length;
    std::size_t room;
    std::uint64_t version;
    std::uint64_t comments_version;
};

// An entry that is free keeps so much for the next one.
constexpr std::size_t kKeptRoom = 8192;

Entry* entries = nullptr;
int count = 0;
int room = 0;

void Grow() {
    const int more = room == 0 ? 8 : room * 2;
    const std::size_t size = sizeof(Entry) * static_cast<std::size_t>(more);
    entries = static_cast<Entry*>(entries == nullptr ? MemoryContextAlloc(SessionMemory(), size)
                                                     : repalloc(entries, size));
    std::memset(entries + room, 0, sizeof(Entry) * static_cast<std::size_t>(more - room));
    room = more;
}

Entry* EntryOfThisLevel() {
    const int level = GetCurrentTransactionNestLevel();
    if (count > 0 && entries[count - 1].level == level)
        return &entries[count - 1];
    if (count == room)
        Grow();
    Entry* const entry = &entries[count++];
    entry->level = level;
    entry->is_known = false;
    entry->is_known_below = true;
    return entry;
}

void MakeRoom(Entry* entry, std::size_t size) {
    if (entry->room >= size)
        return;
    char* const text = static_cast<char*>(MemoryContextAllocHuge(SessionMemory(), size));
    if (entry->text != nullptr)
        pfree(entry->text);
    entry->text = text;
    entry->room = size;
}

void Pop() {
    Entry* const entry = &entries[--count];
    if (entry->room <= kKeptRoom)
        return;
    pfree(entry->text);
    entry->text = nullptr;
    entry->room = 0;
}

void OnSubtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    const int level = GetCurrentTransactionNestLevel();
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        while (count > 0 && entries[count - 1].level >= level)
            Pop();
        ContextMayDiffer();
    } else if (event == SUBXACT_EVENT_COMMIT_SUB && count > 0 &&
               entries[count - 1].level == level) {
        Entry* const top = &entries[count - 1];
        top->level = level - 1;
        if (count > 1 && entries[count - 2].level == level - 1) {
            std::swap(entries[count - 2], *top);
            Pop();
        }
    }
}

void OnTransaction(XactEvent event, void*) {
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
        return;
    while (count > 0)
        Pop();
    ContextMayDiffer();
}

}  // namespace

ContextInForce CurrentContextInForce() {
    if (count == 0)
        return {ContextInForce::State::kNone, {}, 0, {}, 0};
    const Entry& top = entries[count - 1];
    if (!top.is_known)
        return {ContextInForce::State::kUnknown, {}, 0, {}, 0};
    return {ContextInForce::State::kKnown,
            {top.text, top.length},
            top.version,
            {top.text + top.length, top.comments_length},
            top.comments_version};
}

void SetContextInForce(std::string_view text, std::uint64_t version, std::string_view comments,
                       std::uint64_t comments_version) {
    Entry* const entry = EntryOfThisLevel();
    MakeRoom(entry, text.size() + comments.size());
    std::memcpy(entry->text, text.data(), text.size());
    std::memcpy(entry->text + text.size(), comments.data(), comments.size());
    entry->length = text.size();
    entry->comments_length = comments.size();
    entry->version = version;
    entry->comments_version = comments_version;
    entry->is_known = true;
}

void ForgetContextInForce() {
    EntryOfThisLevel()->is_known = false;
    ContextMayDiffer();
}

void ForgetAllContexts() {
    Entry* const top = EntryOfThisLevel();
    top->is_known = false;
    for (Entry* entry = top; entry > entries && entry->is_known_below; entry--)
        entry[-1].is_known = false;
    top->is_known_below = false;
}

void RegisterInForceCallbacks() {
    RegisterXactCallback(OnTransaction, nullptr);
    RegisterSubXactCallback(OnSubtransaction, nullptr);
}

}  // namespace bemi
