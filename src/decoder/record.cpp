// The grammar of a record; * marks what is there only where it applies:
//
//   record   = opening key [previous*] before after [identity*] [missing*] place tail
//   opening  = {"operation":…,"database":…,"schema":…,"table":…[,"partition":…]*,"primary_key":
//   place    = [,"origin":…]*,"committed_at":…,"transaction_id":…,"position":…
//              ,"commit_position":…,"sequence":…
//   message  = {"operation":"MESSAGE","database":… [missing*] ,"prefix":…[,"content":…] place tail
//   tail     = [,"context":…[,"context_error":…]*] [,"last":true]* }
//
// The tail is the transaction's: it may be known only later.

#include <cstring>

#include "bemi/guard.hpp"
#include "bemi/key.hpp"
#include "bemi/record.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"

namespace bemi {

namespace {

// The shortest tail is part of a record's size; a longer context comes on top.
constexpr std::size_t kTailSize = sizeof(",\"context\":{},\"last\":true}");

// Read in whole blocks of AppendPadded.
constexpr char kOperations[kOperationCount][32] = {
    "{\"operation\":\"CREATE\"",
    "{\"operation\":\"UPDATE\"",
    "{\"operation\":\"DELETE\"",
    "{\"operation\":\"TRUNCATE\"",
};

void WriteOpening(JsonStream& out, const RelationPlan& plan, Operation operation) {
    out.AppendPadded(kOperations[operation]);
    out.AppendPadded(plan.opening);
}

void WriteName(JsonStream& out, const char* key) {
    out.Append(",\"");
    out.Append(std::string_view(key));
    out.Append("\":");
}

// Writes content that is valid text; false, with nothing written, where it is not.
bool WriteTextContent(JsonStream& out, std::string_view content, const TextEncoding& encoding) {
    if (content.find('\0') != std::string_view::npos ||
        !pg_verify_mbstr(encoding.server, content.data(), static_cast<int>(content.size()), true))
        return false;
    const std::size_t start = out.length();
    out.Mark();
    WriteText(out, encoding, content);
    const bool written = out.failure() == nullptr;
    if (!written && !out.overflowed())
        out.Rewind(start);
    out.Mark();
    return written;
}

// Text where it is valid text, else its bytes.
void WriteContent(JsonStream& out, std::string_view content, const TextEncoding& encoding) {
    if (WriteTextContent(out, content, encoding) || out.overflowed())
        return;
    out.Append("{\"base64\":\"");
    if (!out.Fits(Base64Length(content.size())))
        return;
    out.SetEnd(
        PutBase64(out.Reserve(Base64Length(content.size())), content.data(), content.size()));
    out.Append("\"}");
}

void WriteIdentity(JsonStream& out, Identity identity) {
    switch (identity) {
        case Identity::kFull:
            return;
        case Identity::kDefault:
            out.Append(",\"identity\":\"default\"");
            return;
        case Identity::kIndex:
            out.Append(",\"identity\":\"index\"");
            return;
        case Identity::kNothing:
            out.Append(",\"identity\":\"nothing\"");
            return;
    }
}

void WriteMissing(JsonStream& out, const Row& row) {
    const std::size_t start = out.length();
    WriteName(out, wire::kMissing);
    const std::size_t brace = out.length();
    for (int i = 0; i < row.plan->column_count; i++) {
        if (row.missing[i] == Missing::kNone)
            continue;
        out.Append(row.plan->columns[i].label());
        out.Put('"');
        out.Append(std::string_view(MissingName(row.missing[i])));
        out.Put('"');
    }
    if (out.length() == brace) {
        out.Rewind(start);
        return;
    }
    out.data()[brace] = '{';
    out.Put('}');
}

void WritePlace(JsonStream& out, const RecordPlace& place) {
    out.AppendPadded(place.transaction->before_position);
    WriteUnsigned(out, place.position);
    out.AppendPadded(place.transaction->before_sequence);
    WriteUnsigned(out, place.sequence);
}

// A MESSAGE has no sequence.
void WritePlaceOfMessage(JsonStream& out, const RecordPlace& place) {
    out.AppendPadded(place.transaction->before_position);
    WriteUnsigned(out, place.position);
    out.AppendPadded(place.transaction->after_position);
}

// The key, and the previous one where it was another. Two that are written alike (of -0 and 0) are
// the same to a reader.
void WriteKeys(JsonStream& out, const Row& row, Operation operation) {
    const std::size_t start = out.length();
    WriteKey(out, row, operation == kDelete ? kBefore : kAfter);
    if (operation != kUpdate || !KeyChanged(row))
        return;
    const std::size_t end = out.length();
    WriteName(out, wire::kPreviousKey);
    const std::size_t previous = out.length();
    const bool written = WriteKey(out, row, kBefore);
    if (!written || First(Behind(out.view(), start), end - start) == Behind(out.view(), previous))
        out.Rewind(end);
}

bool WriteRow(JsonStream& out, Row& row, Operation operation, const RecordPlace& place) {
    WriteOpening(out, *row.plan, operation);
    WriteKeys(out, row, operation);
    if (!WriteImages(out, row))
        return false;
    if (operation != kCreate)
        WriteIdentity(out, row.plan->identity);
    if (row.any_missing)
        WriteMissing(out, row);
    WritePlace(out, place);
    return !out.overflowed();
}

// One guard for the whole row where its table has needed one before; should an ERROR come up, the
// row is written again with a guard for each value, to find out which it was.
bool WriteRowCarefully(JsonStream& out, Row& row, Operation operation, const RecordPlace& place) {
    bool fits = false;
    auto write = [&] { fits = WriteRow(out, row, operation, place); };
    if (!row.plan->guards_rows) {
        write();
        return fits;
    }
    const std::size_t start = out.length();
    row.guard = RowGuard::kRow;
    if (Guarded(write) != nullptr) {
        row.guard = RowGuard::kValue;
        out.Rewind(start);
        out.Restart();
        write();
    }
    return fits;
}

// `,"origin":…,"committed_at":…,"transaction_id":…,"position":`
void WriteBeforePosition(JsonStream& out, const TransactionFacts& facts) {
    if (facts.origin != nullptr) {
        WriteName(out, wire::kOrigin);
        WriteIdentifier(out, *facts.encoding, facts.origin);
    }
    WriteName(out, wire::kCommittedAt);
    char* to = out.Reserve(kMaxTimestampLength + 16);
    *to++ = '"';
    to = PutCommitTime(to, facts.committed_at);
    *to++ = '"';
    out.SetEnd(to);
    WriteName(out, wire::kTransactionId);
    WriteUnsigned(out, facts.transaction_id);
    WriteName(out, wire::kPosition);
}

}  // namespace

void WriteRowRecord(JsonStream& out, JsonStream& scratch, Row& row, Operation operation,
                    const RecordPlace& place, std::size_t max_size) {
    const std::size_t start = out.length();
    const std::size_t room = max_size - kTailSize;
    out.Restart();
    out.SetLimit(start + room);
    const bool fits = WriteRowCarefully(out, row, operation, place);
    out.SetLimit(JsonStream::kMaxLength);
    if (fits)
        return;
    // What remains when every value goes is what the values have to share the room with.
    row.guard = RowGuard::kValue;
    out.Rewind(start);
    out.Restart();
    LeaveOutAll(row);
    (void)WriteRow(out, row, operation, place);
    const std::size_t frame = out.length() - start;
    out.Rewind(start);
    out.Restart();
    LeaveOutLargest(scratch, row, room > frame ? room - frame : 0);
    if (WriteRow(out, row, operation, place))
        return;
    // A value that is not written twice alike (an output function may do as it likes) was larger
    // now than when it was measured. No record ends before its position.
    out.Rewind(start);
    out.Restart();
    LeaveOutAll(row);
    (void)WriteRow(out, row, operation, place);
}

void WriteTruncateRecord(JsonStream& out, const RelationPlan& plan, const RecordPlace& place) {
    WriteOpening(out, plan, kTruncate);
    out.Append("null,\"before\":{},\"after\":{}");
    WritePlace(out, place);
}

namespace {

// What a MESSAGE goes without.
enum class MessageParts { kAll, kNoContent, kNothing };

void WriteMessage(JsonStream& out, const Message& message, const TextEncoding& encoding,
                  std::string_view database, const RecordPlace& place, MessageParts parts) {
    out.Append("{\"operation\":\"MESSAGE\",\"database\":");
    WriteIdentifier(out, encoding, database);
    if (parts == MessageParts::kNoContent)
        out.Append(",\"missing\":{\"content\":\"size\"}");
    if (parts == MessageParts::kNothing)
        out.Append(",\"missing\":{\"prefix\":\"size\",\"content\":\"size\"}");
    if (parts != MessageParts::kNothing) {
        WriteName(out, wire::kPrefix);
        WriteIdentifier(out, encoding, message.prefix);
    }
    if (parts == MessageParts::kAll) {
        WriteName(out, wire::kContent);
        WriteContent(out, message.content, encoding);
    }
    WritePlaceOfMessage(out, place);
}

}  // namespace

// A prefix may be as long as a content, and go the same way.
void WriteMessageRecord(JsonStream& out, const Message& message, const TextEncoding& encoding,
                        std::string_view database, const RecordPlace& place, std::size_t max_size) {
    const std::size_t start = out.length();
    for (MessageParts parts :
         {MessageParts::kAll, MessageParts::kNoContent, MessageParts::kNothing}) {
        out.Rewind(start);
        out.Restart();
        if (parts != MessageParts::kNothing)
            out.SetLimit(start + max_size - kTailSize);
        WriteMessage(out, message, encoding, database, place, parts);
        out.SetLimit(JsonStream::kMaxLength);
        if (!out.overflowed() && out.length() - start <= max_size - kTailSize)
            return;
    }
}

// AppendPadded may read beyond a fragment: of the first one into the second, of that into zeros.
TransactionFragments MakeFragments(JsonStream& out, const TransactionFacts& facts) {
    out.Clear();
    WriteBeforePosition(out, facts);
    const std::size_t start = out.length();
    WriteName(out, wire::kCommitPosition);
    WriteUnsigned(out, facts.commit_position);
    const std::size_t middle = out.length();
    WriteName(out, wire::kSequence);
    std::memset(out.Reserve(JsonStream::kPadding), 0, JsonStream::kPadding);
    const std::string_view all = out.view();
    return {First(all, start), Behind(all, start), First(Behind(all, start), middle - start)};
}

}  // namespace bemi
