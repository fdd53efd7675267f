// The writer of jsonb, from its stored form (jsonb.h): a container is a header, an entry for each
// element (of an object, one for each key, then one for each value), then their contents, in the
// order of the entries. An entry holds the length of its content, or now and then its end. Numbers
// and containers are aligned.

#include "bemi/guard.hpp"
#include "bemi/wire.hpp"
#include "value_writers.hpp"

namespace bemi {

namespace {

// A container that is being written.
struct Level {
    const JsonbContainer* container;
    const char* contents;
    int count;  // of pairs in an object
    int index;  // of the next element
    bool is_object;
    uint32 key_offset;
    uint32 value_offset;
};

Level Enter(JsonbContainer* container) {
    const int count = static_cast<int>(JsonContainerSize(container));
    const bool is_object = JsonContainerIsObject(container);
    const int entries = is_object ? 2 * count : count;
    return {container,
            reinterpret_cast<const char*>(container->children + entries),
            count,
            0,
            is_object,
            0,
            is_object ? getJsonbOffset(container, count) : 0};
}

// The levels that are open: the first ones on the stack, as few documents have more.
class Levels {
 public:
    Level* top() { return &levels_[depth_ - 1]; }
    int depth() const { return depth_; }

    void Push(const Level& level) {
        if (depth_ == capacity_)
            Grow();
        levels_[depth_++] = level;
    }
    void Pop() { depth_--; }

 private:
    static constexpr int kFew = 16;

    // What is allocated goes with the row.
    void Grow() {
        Level* const levels =
            static_cast<Level*>(palloc(sizeof(Level) * static_cast<Size>(2 * capacity_)));
        std::memcpy(levels, levels_, sizeof(Level) * static_cast<Size>(capacity_));
        if (levels_ != few_)
            pfree(levels_);
        levels_ = levels;
        capacity_ *= 2;
    }

    Level few_[kFew];
    Level* levels_ = few_;
    int capacity_ = kFew;
    int depth_ = 0;
};

// Bytes that an entry's content takes, padding included; `offset` is where it begins.
uint32 EntryLength(JEntry entry, uint32 offset) {
    return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) - offset : JBE_OFFLENFLD(entry);
}

void WriteScalar(JsonStream& out, JEntry entry, const char* content, uint32 length,
                 ValuePlan& plan) {
    if (JBE_ISSTRING(entry))
        WriteText(out, *plan.encoding, {content, length});
    else if (JBE_ISNUMERIC(entry))
        WriteNumeric(out, PointerGetDatum(content), plan);
    else if (JBE_ISBOOL_TRUE(entry))
        out.Append("true");
    else if (JBE_ISBOOL_FALSE(entry))
        out.Append("false");
    else if (JBE_ISNULL(entry))
        out.Append("null");
    else
        out.Fail("unknown type of jsonb value");
}

void WriteMemberKey(JsonStream& out, Level* level, ValuePlan& plan) {
    const JEntry entry = level->container->children[level->index];
    const uint32 length = EntryLength(entry, level->key_offset);
    WriteText(out, *plan.encoding, {level->contents + level->key_offset, length});
    out.Put(':');
    level->key_offset += length;
}

// The next element; returns the container that it is, or nullptr where it was written.
JsonbContainer* WriteElement(JsonStream& out, Level* level, ValuePlan& plan) {
    const int place = level->index + (level->is_object ? level->count : 0);
    const JEntry entry = level->container->children[place];
    const uint32 offset = level->value_offset;
    const uint32 length = EntryLength(entry, offset);
    level->index++;
    level->value_offset += length;
    const char* const content = level->contents + (JBE_ISSTRING(entry) ? offset : INTALIGN(offset));
    if (JBE_ISCONTAINER(entry))
        return reinterpret_cast<JsonbContainer*>(const_cast<char*>(content));
    WriteScalar(out, entry, content, length, plan);
    return nullptr;
}

// Writes the elements of a container up to the next container, which it returns; nullptr at its
// end.
JsonbContainer* WriteElements(JsonStream& out, Level* level, ValuePlan& plan) {
    while (level->index < level->count && !out.overflowed()) {
        if (level->index > 0)
            out.Put(',');
        if (level->is_object)
            WriteMemberKey(out, level, plan);
        if (JsonbContainer* container = WriteElement(out, level, plan))
            return container;
    }
    return nullptr;
}

// False where it is nested deeper than what a reader can be expected to take.
bool WriteTree(JsonStream& out, JsonbContainer* root, ValuePlan& plan) {
    Levels levels;
    JsonbContainer* next = root;
    for (;;) {
        if (next != nullptr) {
            if (levels.depth() == wire::kMaxJsonbDepth)
                return false;
            levels.Push(Enter(next));
            out.Put(levels.top()->is_object ? '{' : '[');
        }
        next = WriteElements(out, levels.top(), plan);
        if (next != nullptr)
            continue;
        out.Put(levels.top()->is_object ? '}' : ']');
        levels.Pop();
        if (levels.depth() == 0)
            return true;
    }
}

// As a string. The server's own text of a document has no limit but that of all text, which a short
// document may pass: a number of three bytes may have 131,072 digits.
void WriteTextOf(JsonStream& out, Jsonb* jsonb, ValuePlan& plan) {
    auto write = [&] {
        char* const text = JsonbToCString(nullptr, &jsonb->root, VARSIZE(jsonb));
        WriteText(out, *plan.encoding, text);
        pfree(text);
    };
    if (const char* error = Guarded(write))
        out.Fail(error);
}

}  // namespace

// A string of its text where it is nested too deeply to be read.
void WriteJsonb(JsonStream& out, Datum value, ValuePlan& plan) {
    Unpacked unpacked(value);
    Jsonb* const jsonb = reinterpret_cast<Jsonb*>(unpacked.get());
    if (JB_ROOT_IS_SCALAR(jsonb)) {
        Level level = Enter(&jsonb->root);
        (void)WriteElement(out, &level, plan);
        return;
    }
    const std::size_t start = out.length();
    if (WriteTree(out, &jsonb->root, plan) || out.overflowed())
        return;
    out.Rewind(start);
    WriteTextOf(out, jsonb, plan);
}

}  // namespace bemi
