// The quoting rules of array_out and record_out, read backwards.
#include "text_containers.hpp"

namespace bemi {

namespace {

[[noreturn]] void Malformed() {
    throw ValueError("not the text of a value of its type");
}

// The next byte; what ends within a value is not whole.
char At(std::string_view text, size_t at) {
    if (at >= text.size())
        Malformed();
    return text[at];
}

void AppendElement(const ValueType& type, std::string_view text, bool is_null,
                   const JsonOptions& options, std::string* out) {
    if (is_null)
        out->append("null");
    else
        AppendJson(type, text, options, out);
}

// array_out: `[2:3]={{1,"two"},{NULL,4}}`. Bounds that are not 1 stand first, and JSON has none.
class ArrayText {
 public:
    ArrayText(const ValueType& type, std::string_view text, const JsonOptions& options,
              std::string* out)
        : type_(type), text_(text), options_(options), out_(out) {}

    void Write() {
        if (At(text_, 0) == '[')
            at_ = text_.find('=') == std::string_view::npos ? text_.size() : text_.find('=') + 1;
        int depth = 0;
        do {
            const char c = At(text_, at_);
            if (c == '{' || c == '}') {
                depth += c == '{' ? 1 : -1;
                out_->push_back(c == '{' ? '[' : ']');
                ++at_;
            } else if (c == type_.delimiter) {
                out_->push_back(',');
                ++at_;
            } else if (c == '"') {
                Quoted();
            } else {
                Bare();
            }
        } while (depth > 0);
        if (at_ != text_.size())
            Malformed();
    }

 private:
    void Quoted() {
        element_.clear();
        while (At(text_, ++at_) != '"') {
            if (text_[at_] == '\\')
                (void)At(text_, ++at_);
            element_.push_back(text_[at_]);
        }
        ++at_;
        AppendElement(*type_.element, element_, false, options_, out_);
    }
    void Bare() {
        const size_t start = at_;
        while (At(text_, at_) != type_.delimiter && text_[at_] != '}')
            ++at_;
        const std::string_view element = text_.substr(start, at_ - start);
        AppendElement(*type_.element, element, element == "NULL", options_, out_);
    }

    const ValueType& type_;
    const std::string_view text_;
    const JsonOptions& options_;
    std::string* const out_;
    std::string element_;
    size_t at_ = 0;
};

void WriteVector(const ValueType& type, std::string_view text, const JsonOptions& options,
                 std::string* out) {
    out->push_back('[');
    while (!text.empty()) {
        const std::string_view element = text.substr(0, text.find(' '));
        AppendJson(*type.element, element, options, out);
        text.remove_prefix(element.size());
        if (text.empty())
            break;
        text.remove_prefix(1);
        out->push_back(',');
    }
    out->push_back(']');
}

// record_out: `(1,"a ""quoted"" \\ one",)`. Nothing between commas is NULL.
class CompositeText {
 public:
    explicit CompositeText(std::string_view text) : text_(text) {}

    // The next field: false where it is NULL.
    bool Next(std::string* field) {
        if (At(text_, at_) != (at_ == 0 ? '(' : ','))
            Malformed();
        ++at_;
        field->clear();
        if (At(text_, at_) == ',' || text_[at_] == ')')
            return false;
        if (text_[at_] == '"')
            Quoted(field);
        else
            Bare(field);
        return true;
    }
    void End() {
        if (at_ == 0)
            at_ = At(text_, 0) == '(' ? 1 : text_.size();
        if (At(text_, at_) != ')' || at_ + 1 != text_.size())
            Malformed();
    }

 private:
    void Quoted(std::string* field) {
        for (;; field->push_back(text_[at_])) {
            const char c = At(text_, ++at_);
            if (c == '\\') {
                (void)At(text_, ++at_);
            } else if (c == '"' && At(text_, ++at_) != '"') {
                return;
            }
        }
    }
    void Bare(std::string* field) {
        const size_t start = at_;
        while (At(text_, at_) != ',' && text_[at_] != ')')
            ++at_;
        field->assign(text_.substr(start, at_ - start));
    }

    const std::string_view text_;
    size_t at_ = 0;
};

void WriteComposite(const ValueType& type, std::string_view text, const JsonOptions& options,
                    std::string* out) {
    CompositeText fields(text);
    std::string value;
    bool first = true;
    out->push_back('{');
    for (const ValueType::Field& field : type.fields) {
        const bool is_null = !fields.Next(&value);
        if (!field.is_stored)
            continue;
        if (!first)
            out->push_back(',');
        first = false;
        AppendJsonString(field.name, options.ascii, out);
        out->push_back(':');
        AppendElement(*field.type, value, is_null, options, out);
    }
    fields.End();
    out->push_back('}');
}

}  // namespace

void AppendContainer(const ValueType& type, std::string_view text, const JsonOptions& options,
                     std::string* out) {
    const size_t start = out->size();
    try {
        if (type.kind == ValueType::Kind::kArray)
            ArrayText(type, text, options, out).Write();
        else if (type.kind == ValueType::Kind::kVector)
            WriteVector(type, text, options, out);
        else
            WriteComposite(type, text, options, out);
    } catch (const ValueError&) {
        out->resize(start);
        throw;
    }
}

}  // namespace bemi
