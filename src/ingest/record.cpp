#include "record.hpp"

#include "bemi/wire.hpp"
#include "timestamp.hpp"

namespace bemi::ingest {

namespace {

// Walks over the text once; every method leaves `at` behind what it has read.
class Scanner {
 public:
    explicit Scanner(std::string_view text) : text_(text) {}

    bool AtEnd() const { return at_ == text_.size(); }

    void Expect(char c) {
        if (!Take(c))
            throw BadRecord(std::string("expected ") + c + " at byte " + std::to_string(at_));
    }

    bool Take(char c) {
        if (at_ >= text_.size() || text_[at_] != c)
            return false;
        ++at_;
        return true;
    }

    // The inside of a string, escapes and all.
    std::string_view String() {
        Expect('"');
        size_t start = at_;
        while (at_ < text_.size()) {
            char c = text_[at_];
            if (c == '"')
                return text_.substr(start, at_++ - start);
            at_ += c == '\\' ? 2 : 1;
        }
        throw BadRecord("a string does not end");
    }

    // Any value, raw.
    std::string_view Value() {
        size_t start = at_;
        char c = at_ < text_.size() ? text_[at_] : '\0';
        if (c == '"')
            String();
        else if (c == '{' || c == '[')
            Nested();
        else
            Scalar();
        return text_.substr(start, at_ - start);
    }

 private:
    void Nested() {
        size_t depth = 0;
        while (at_ < text_.size()) {
            char c = text_[at_];
            if (c == '"') {
                String();
                continue;
            }
            ++at_;
            if (c == '{' || c == '[')
                ++depth;
            else if ((c == '}' || c == ']') && --depth == 0)
                return;
        }
        throw BadRecord("brackets do not close");
    }

    void Scalar() {
        size_t start = at_;
        while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '}')
            ++at_;
        if (at_ == start)
            throw BadRecord("a value is missing at byte " + std::to_string(at_));
    }

    std::string_view text_;
    size_t at_ = 0;
};

std::string_view StringOf(std::string_view key, std::string_view value) {
    if (value.size() < 2 || value.front() != '"')
        throw BadRecord(std::string(key) + " is not a string");
    return value.substr(1, value.size() - 2);
}

uint64_t NumberOf(std::string_view key, std::string_view value) {
    if (value.empty() || value.size() > 19)
        throw BadRecord(std::string(key) + " is not a number");
    uint64_t number = 0;
    for (char c : value) {
        if (c < '0' || c > '9')
            throw BadRecord(std::string(key) + " is not a number");
        number = number * 10 + static_cast<uint64_t>(c - '0');
    }
    if (number > INT64_MAX)
        throw BadRecord(std::string(key) + " is out of range");
    return number;
}

using Slice = std::string_view;
using Store = void (*)(Record*, Slice key, Slice value);

template <Slice Record::*field>
void StoreString(Record* record, Slice key, Slice value) {
    if (value != "null")
        record->*field = StringOf(key, value);
}

template <Slice Record::*field>
void StoreRaw(Record* record, Slice, Slice value) {
    record->*field = value;
}

template <uint64_t Record::*field>
void StoreNumber(Record* record, Slice key, Slice value) {
    record->*field = NumberOf(key, value);
}

void StoreCommittedAt(Record* record, Slice key, Slice value) {
    if (!ParseTimestamp(StringOf(key, value), &record->committed_at))
        throw BadRecord("committed_at is not a time");
}

void StoreLast(Record* record, Slice, Slice value) {
    record->last = value == "true";
}

struct Column {
    Slice key;
    Store store;
};

// In the order in which the plugin writes them, so that the search below goes on where it was.
constexpr Column kColumns[] = {
    {wire::kOperation, StoreString<&Record::operation>},
    {wire::kDatabase, StoreString<&Record::database>},
    {wire::kSchema, StoreString<&Record::schema>},
    {wire::kTable, StoreString<&Record::table>},
    {wire::kPrimaryKey, StoreString<&Record::primary_key>},
    {wire::kPreviousKey, StoreString<&Record::previous_key>},
    {wire::kBefore, StoreRaw<&Record::before>},
    {wire::kAfter, StoreRaw<&Record::after>},
    {wire::kCommittedAt, StoreCommittedAt},
    {wire::kTransactionId, StoreNumber<&Record::transaction_id>},
    {wire::kPosition, StoreNumber<&Record::position>},
    {wire::kCommitPosition, StoreNumber<&Record::commit_position>},
    {wire::kSequence, StoreNumber<&Record::sequence>},
    {wire::kContext, StoreRaw<&Record::context>},
    {wire::kLast, StoreLast},
};
constexpr size_t kColumnCount = sizeof kColumns / sizeof kColumns[0];

const Column* Find(Slice key, size_t* from) {
    for (size_t step = 0; step < kColumnCount; ++step) {
        size_t i = (*from + step) % kColumnCount;
        if (kColumns[i].key == key) {
            *from = i + 1;
            return &kColumns[i];
        }
    }
    return nullptr;
}

void Check(const Record& record) {
    if (record.operation.data() == nullptr || record.database.data() == nullptr)
        throw BadRecord("operation or database is missing");
    if (record.commit_position == 0 || record.committed_at == kNoTime)
        throw BadRecord("commit_position or committed_at is missing");
    bool message = record.operation == "MESSAGE";
    if (!message && (record.sequence == 0 || record.table.data() == nullptr))
        throw BadRecord("sequence or table is missing");
}

}  // namespace

Record ScanRecord(std::string_view text) {
    Scanner scanner(text);
    Record record;
    size_t next = 0;
    scanner.Expect('{');
    do {
        const char* start = text.data();
        Slice key = scanner.String();
        start = key.data() - 1;
        scanner.Expect(':');
        Slice value = scanner.Value();
        if (const Column* column = Find(key, &next)) {
            column->store(&record, key, value);
            continue;
        }
        if (record.detail_count == static_cast<int>(record.details.size()))
            throw BadRecord("too many keys");
        size_t length = static_cast<size_t>(value.data() + value.size() - start);
        record.details[record.detail_count++] = {start, length};
    } while (scanner.Take(','));
    scanner.Expect('}');
    if (!scanner.AtEnd())
        throw BadRecord("text after the record");
    Check(record);
    return record;
}

}  // namespace bemi::ingest
