// Holding records back until their context is known, and the last one until the commit.

#include "bemi/text.hpp"
#include "bemi/transaction.hpp"

namespace bemi {

namespace {

// What may be held of one position. Rows that directly follow a message come from one WAL record of
// a page's size: what takes more than this has its TOAST values between, and is no such case.
constexpr std::size_t kPositionHold = 16u << 20;

}  // namespace

void RecordQueue::Init(const Options& options, const TextEncoding& encoding, MemoryContext memory,
                       std::size_t header_size, SendFunction send, void* argument) {
    options_ = &options;
    encoding_ = &encoding;
    memory_ = memory;
    header_size_ = header_size;
    send_ = send;
    argument_ = argument;
    const bool ascii_only = !encoding.is_utf8();
    held_.Init(memory, ascii_only);
    message_.Init(memory, ascii_only);
    context_.Init(memory, ascii_only);
    raw_context_.Init(memory, false);
    held_capacity_ = 64;
    held_records_ = static_cast<Held*>(
        MemoryContextAlloc(memory, sizeof(Held) * static_cast<Size>(held_capacity_)));
}

bool RecordQueue::AwaitsContext() const {
    return !options_->preceding_context_only && options_->context_hold > 0;
}

bool RecordQueue::WouldHold(bool has_subtransactions) const {
    return has_subtransactions || AwaitsContext();
}

void RecordQueue::Begin(bool has_subtransactions, bool may_have_context) {
    held_.Clear();
    ClearMessage();
    context_.Clear();
    context_.Append(kNoContext);
    raw_context_.Clear();
    raw_context_kept_ = false;
    held_count_ = 0;
    has_open_record_ = false;
    has_subtransactions_ = has_subtransactions && may_have_context;
    mode_ = has_subtransactions_ ? Mode::kHoldPosition : Mode::kPassOn;
    if (may_have_context && AwaitsContext())
        mode_ = Mode::kAwaitContext;
    context_seen_ = false;
    context_came_late_ = false;
    released_without_context_ = false;
    sent_ = false;
}

JsonStream& RecordQueue::BeginRecord(XLogRecPtr position) {
    if (mode_ == Mode::kPassOn) {
        CloseOpenRecord();
        return message_;
    }
    if (mode_ == Mode::kHoldPosition && held_count_ > 0 &&
        held_records_[held_count_ - 1].position != position)
        ReleaseHeld();
    return held_;
}

void RecordQueue::EndRecord(XLogRecPtr position, bool with_context) {
    // With a context_hold of 0 no change waits for the first context.
    if (mode_ != Mode::kAwaitContext && !context_seen_)
        released_without_context_ = !options_->preceding_context_only;
    if (mode_ == Mode::kPassOn) {
        OpenRecord(position, with_context);
        return;
    }
    Hold(position, with_context);
    if (held_.length() <= (mode_ == Mode::kAwaitContext ? options_->context_hold : kPositionHold))
        return;
    if (mode_ == Mode::kAwaitContext) {
        released_without_context_ = true;
        StopAwaiting();
    }
    ReleaseHeld();
}

void RecordQueue::StopAwaiting() {
    mode_ = has_subtransactions_ ? Mode::kHoldPosition : Mode::kPassOn;
}

void RecordQueue::Hold(XLogRecPtr position, bool with_context) {
    if (held_count_ == held_capacity_) {
        held_capacity_ *= 2;
        held_records_ = static_cast<Held*>(
            repalloc(held_records_, sizeof(Held) * static_cast<Size>(held_capacity_)));
    }
    held_records_[held_count_++] = {held_.length(), position, with_context};
}

// Everything that was held goes the way of any other record, with the context that is known now.
void RecordQueue::ReleaseHeld() {
    std::size_t start = 0;
    for (int i = 0; i < held_count_; i++) {
        const Held& record = held_records_[i];
        CloseOpenRecord();
        message_.Append(First(Behind(held_.view(), start), record.end - start));
        OpenRecord(record.position, record.with_context);
        start = record.end;
    }
    held_.Clear();
    held_count_ = 0;
}

void RecordQueue::OpenRecord(XLogRecPtr position, bool with_context) {
    if (with_context)
        message_.Append(context_.view());
    has_open_record_ = true;
    open_position_ = position;
}

// Another record follows: the open one is complete, and goes out once the message is full.
void RecordQueue::CloseOpenRecord() {
    if (!has_open_record_)
        return;
    message_.Put('}');
    has_open_record_ = false;
    if (message_.length() - header_size_ >= options_->batch_size)
        Send(false);
    else
        message_.Put('\n');
}

void RecordQueue::Send(bool last) {
    send_(argument_, message_, open_position_, last);
    ClearMessage();
    sent_ = true;
}

void RecordQueue::ClearMessage() {
    message_.Clear();
    message_.Reserve(header_size_);
    message_.Rewind(header_size_);
}

void RecordQueue::SetContext(std::string_view message, XLogRecPtr position) {
    if (mode_ == Mode::kHoldPosition && held_count_ > 0 &&
        held_records_[held_count_ - 1].position < position)
        ReleaseHeld();
    // The packages that write one message per row write the same bytes each time.
    if (!raw_context_kept_ || raw_context_.view() != message) {
        raw_context_.Clear();
        raw_context_kept_ = message.size() <= options_->max_context_size;
        if (raw_context_kept_)
            raw_context_.Append(message);
        context_.Clear();
        WriteContext(context_, message, *encoding_, options_->max_context_size);
    }
    context_came_late_ = released_without_context_ && !context_seen_;
    context_seen_ = true;
    if (mode_ == Mode::kAwaitContext) {
        StopAwaiting();
        ReleaseHeld();
    }
}

bool RecordQueue::Commit() {
    ReleaseHeld();
    if (has_open_record_) {
        message_.Append(",\"last\":true}");
        Send(true);
    }
    held_.Clear();
    return sent_;
}

}  // namespace bemi
