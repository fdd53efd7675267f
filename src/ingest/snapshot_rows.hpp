// The rows of a table, as text from the types' output functions, made into keys and images here.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "copy_reader.hpp"
#include "image_text.hpp"
#include "snapshot_plan.hpp"

namespace bemi::ingest {

class RowReader {
 public:
    // The connection and the plan must outlive the reader; the connection has to be read to the end
    // before it is asked for anything else. Throws Unreadable.
    RowReader(Connection& source, const RowPlan& plan);

    bool Next();

    // Of the row that Next has found:

    // False where it has no key.
    bool MakeKey(std::string* key) const;
    // Appends the image as the decoder writes it. `failed` gets the columns that could not be
    // written, as members of "missing".
    void AppendImage(std::string* out, std::string* failed) const;
    // Appends the text that the image has in jsonb, without the columns at those places.
    void AppendComparable(const std::vector<bool>& without, std::string* out) const;

 private:
    const RowPlan& plan_;
    std::unique_ptr<CopyTextReader> reader_;
    bool sql_ascii_;
    std::vector<std::string_view> fields_;
    std::vector<std::string> converted_;
};

}  // namespace bemi::ingest
