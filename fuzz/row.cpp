// Fuzzes the writing of records: rows of any values, with a small max_record_size and a small limit
// of jsonb, and messages of any bytes, in databases of several encodings. Whatever they hold, no
// ERROR comes out, and the record is whole: one line of JSON with every fixed key, in order. It is
// no larger than it may be unless all values are gone, and neither image is larger than jsonb
// takes.
//
// (That limit is beyond what the names of all columns take, as the real one is: 1,600 names are a
// thousandth of it.)
//
// server: yes
// define: BEMI_MAX_JSONB_BYTES=8000
// sources: fuzz/catalog.cpp
// sources: src/decoder/encoding.cpp
// sources: src/decoder/json_check.cpp
// sources: src/decoder/json_simple.cpp
// sources: src/decoder/json_string.cpp
// sources: src/decoder/json_writer.cpp
// sources: src/decoder/jsonb_size.cpp
// sources: src/decoder/key.cpp
// sources: src/decoder/oversize.cpp
// sources: src/decoder/record.cpp
// sources: src/decoder/tuple.cpp
// sources: src/decoder/tuple_columns.cpp
// sources: src/decoder/value.cpp
// sources: src/decoder/value_containers.cpp
// sources: src/decoder/value_jsonb.cpp
// sources: src/decoder/value_numeric.cpp
// sources: src/decoder/value_scalars.cpp
// sources: src/decoder/value_times.cpp

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bemi/json_check.hpp"
#include "bemi/record.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "catalog.hpp"
#include "json_reader.hpp"
#include "server.hpp"

namespace {

using fuzz::Require;

constexpr std::size_t kTail = sizeof(",\"context\":{},\"last\":true}");
constexpr int kMostColumns = 24;

// Takes an input apart, byte by byte; zeros behind its end.
class Input {
 public:
    Input(const std::uint8_t* data, std::size_t size)
        : rest_(reinterpret_cast<const char*>(data), size) {}

    unsigned Byte() {
        if (rest_.empty())
            return 0;
        const unsigned char byte = static_cast<unsigned char>(rest_[0]);
        rest_.remove_prefix(1);
        return byte;
    }
    // Its length first; what is longer than 200 is repeated, as large values are what matters.
    std::string Text() {
        const unsigned length = Byte();
        const std::string_view piece = bemi::First(rest_, length > 200 ? 8 : length);
        rest_.remove_prefix(piece.size());
        std::string text(piece);
        for (unsigned i = 200; i < length; i++)
            text += piece;
        return text;
    }

 private:
    std::string_view rest_;
};

Datum MakeText(const std::string& text) {
    struct varlena* const value = static_cast<struct varlena*>(palloc(VARHDRSZ + text.size()));
    SET_VARSIZE(value, VARHDRSZ + text.size());
    std::memcpy(VARDATA(value), text.data(), text.size());
    return PointerGetDatum(value);
}

// A json value is what the server's parser has let through.
std::string MakeJson(const std::string& text, unsigned times) {
    std::string json = "[";
    for (unsigned i = 0; i < times; i++)
        json += "1,";
    bemi::JsonStream out;
    out.Init(CurrentMemoryContext, false);
    const bool taken = bemi::WriteCheckedJson(out, text, 64) == nullptr;
    return json + (taken ? text : "null") + "]";
}

struct Table {
    bemi::RelationPlan plan = {};
    bemi::TextEncoding encoding;
    bemi::CompositePlan* composites = nullptr;
    bemi::ColumnPlan columns[kMostColumns] = {};
    bemi::KeyColumn key = {};
    TransactionId logged_in[kMostColumns] = {};
    FormData_pg_attribute attributes[kMostColumns] = {};
};

void MakeTable(Table* table, Input& input, int count) {
    constexpr Oid kTypes[] = {TEXTOID, JSONOID, INT4OID, FirstNormalObjectId};
    const bemi::ValueOptions options = {&table->encoding, nullptr, false, false,
                                        &table->composites};
    bemi::RelationPlan& plan = table->plan;
    plan.columns = table->columns;
    plan.logged_in = table->logged_in;
    plan.qualified_name = "t";
    plan.opening =
        ",\"database\":\"d\",\"schema\":\"s\",\"table\":\"t\",\"primary_key\":"
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for (int i = 0; i < count; i++) {
        const unsigned byte = input.Byte();
        bemi::ColumnPlan& column = table->columns[plan.column_count++];
        column.attribute = static_cast<std::int16_t>(i);
        column.null_member = bemi::NullMember(
            options, (input.Text().substr(0, 63) + "_" + std::to_string(i)).c_str());
        column.rule = (byte & 0x70) == 0x70   ? bemi::ColumnRule::kMask
                      : (byte & 0x70) == 0x60 ? bemi::ColumnRule::kExclude
                                              : bemi::ColumnRule::kEmit;
        column.in_identity = i == 0;
        bemi::PlanValue(&column.value, kTypes[byte & 3], options, plan.dependencies);
        column.plain = column.rule == bemi::ColumnRule::kEmit && !column.value.guarded;
    }
    if (count > 0 && table->columns[0].rule == bemi::ColumnRule::kEmit &&
        table->columns[0].value.type != JSONOID) {
        plan.key = &table->key;
        plan.key_count = 1;
        table->key = {table->columns[0].value, 0, true};
    }
}

struct Image {
    std::vector<Datum> values;
    // Not std::vector<bool>, which has no array.
    std::vector<char> nulls;
    fuzz::TupleArrays arrays;
};

void MakeImage(Image* image, const Table& table, Input& input) {
    for (int i = 0; i < table.plan.column_count; i++) {
        const unsigned byte = input.Byte();
        const Oid type = table.columns[i].value.type;
        image->nulls.push_back((byte & 3) == 3);
        if (image->nulls.back() != 0)
            image->values.push_back(0);
        else if (type == INT4OID)
            image->values.push_back(Int32GetDatum(static_cast<int>(byte)));
        else
            image->values.push_back(
                MakeText(type == JSONOID ? MakeJson(input.Text(), byte) : input.Text()));
    }
    image->arrays = {table.plan.column_count, image->values.data(),
                     reinterpret_cast<const bool*>(image->nulls.data())};
}

// The keys of the outermost object, in order.
struct TopKeys : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TopKeys> {
    std::vector<std::string> keys;
    int depth = 0;

    bool Key(const char* text, rapidjson::SizeType length, bool) {
        if (depth == 1)
            keys.emplace_back(text, length);
        return true;
    }
    bool StartObject() { return ++depth > 0; }
    bool EndObject(rapidjson::SizeType) { return --depth >= 0; }
    bool StartArray() { return ++depth > 0; }
    bool EndArray(rapidjson::SizeType) { return --depth >= 0; }
    bool RawNumber(const char*, rapidjson::SizeType, bool) { return true; }
};

// The keys that every record has, and those that it may have between them.
void CheckFrame(const std::string& record, const std::vector<std::string>& fixed,
                const std::vector<std::string>& others) {
    Require(record.find('\n') == std::string::npos && record.find('\0') == std::string::npos);
    TopKeys handler;
    Require(fuzz::ReadJson(record, &handler));
    std::size_t next = 0;
    for (const std::string& key : handler.keys) {
        if (next < fixed.size() && key == fixed[next]) {
            next++;
            continue;
        }
        bool known = false;
        for (const std::string& other : others)
            known |= key == other;
        Require(known);
    }
    Require(next == fixed.size());
}

std::string Finish(const bemi::JsonStream& out) {
    return std::string(out.view()) + ",\"context\":{}}";
}

// The image behind a label, from its brace to the one that closes it; strings may hold braces. Goes
// on behind it in `rest`: a column of the first image may have the second one's label for its name.
std::string_view TakeImage(std::string_view* rest, std::string_view label) {
    const std::string_view record = *rest;
    const std::size_t start = record.find(label) + label.size();
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = start; i < record.size(); i++) {
        const char c = record[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']') && --depth == 0) {
            *rest = record.substr(i + 1);
            return record.substr(start, i + 1 - start);
        }
    }
    Require(false);
    return {};
}

void FuzzRow(Input& input, const bemi::TextEncoding& encoding, const bemi::RecordPlace& place,
             bemi::JsonStream& out) {
    Table table;
    table.encoding = encoding;
    table.plan.identity = static_cast<bemi::Identity>(input.Byte() & 3);
    const bemi::Operation operation = static_cast<bemi::Operation>(input.Byte() % 3);
    const std::size_t max_size = 1024 + 32 * input.Byte();
    MakeTable(&table, input, static_cast<int>(input.Byte() % kMostColumns));
    Image images[2];
    HeapTupleHeaderData header = {};
    HeapTupleData tuples[2] = {};
    for (int i = 0; i < 2; i++) {
        MakeImage(&images[i], table, input);
        fuzz::tuple_arrays[i] = &images[i].arrays;
        tuples[i].t_tableOid = static_cast<Oid>(i);
        tuples[i].t_data = &header;
    }
    static bemi::RowSpace space;
    std::vector<char> descriptor(sizeof(TupleDescData) +
                                 kMostColumns * sizeof(FormData_pg_attribute));
    bemi::Row row;
    bemi::LoadRow(&row, &space, &table.plan, 1, reinterpret_cast<TupleDesc>(descriptor.data()),
                  operation == bemi::kCreate ? nullptr : &tuples[0],
                  operation == bemi::kDelete ? nullptr : &tuples[1]);
    bemi::JsonStream scratch;
    scratch.Init(nullptr, out.ascii_only());
    bemi::WriteRowRecord(out, scratch, row, operation, place, max_size);
    const std::string record = Finish(out);
    CheckFrame(
        record,
        {"operation", "database", "schema", "table", "primary_key", "before", "after",
         "committed_at", "transaction_id", "position", "commit_position", "sequence", "context"},
        {"previous_key", "identity", "missing"});
    Require(row.left_out[0] != nullptr || out.length() + kTail <= max_size);
    std::string_view rest = record;
    for (std::string_view label : {",\"before\":", ",\"after\":"}) {
        const std::string_view image = TakeImage(&rest, label);
        Require(bemi::JsonbSize(image) <= bemi::wire::kMaxJsonbBytes ||
                (row.left_out[0] != nullptr && image.find("1,1") == std::string_view::npos));
    }
}

void FuzzMessage(Input& input, const bemi::TextEncoding& encoding, const bemi::RecordPlace& place,
                 bemi::JsonStream& out) {
    const std::size_t max_size = 1024 + 32 * input.Byte();
    const std::string prefix = input.Text(), content = input.Text();
    bemi::WriteMessageRecord(out, {prefix.c_str(), content}, encoding, "d", place, max_size);
    CheckFrame(
        std::string(out.view()) + "}",
        {"operation", "database", "committed_at", "transaction_id", "position", "commit_position"},
        {"missing", "prefix", "content"});
    Require(out.length() + kTail <= max_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr int kEncodings[] = {PG_UTF8, PG_EUC_JP, PG_SQL_ASCII, PG_MULE_INTERNAL};
    Input input(data, size);
    const unsigned first = input.Byte();
    fuzz::SetDatabaseEncoding(kEncodings[first & 3]);
    const bemi::TextEncoding encoding = bemi::LookUpTextEncoding();
    bemi::JsonStream out, fragments;
    out.Init(nullptr, !encoding.is_utf8());
    fragments.Init(nullptr, !encoding.is_utf8());
    const bemi::TransactionFragments facts =
        bemi::MakeFragments(fragments, {&encoding, nullptr, 0, 1, 2});
    const bemi::RecordPlace place = {&facts, 1, 1};
    if ((first & 4) != 0)
        FuzzMessage(input, encoding, place, out);
    else
        FuzzRow(input, encoding, place, out);
    fuzz::FreeAll();
    return 0;
}
