// The server's functions that the rooms below `record` call. Of the conversions of encodings only
// one is there, from EUC_JP, and it knows no real character: what matters is where it ends.

#include <cstdlib>
#include <string>

#include "bemi/pg.hpp"
#include "server.hpp"

namespace {

// Before each piece of memory: its neighbours in the list of all.
struct alignas(16) Header {
    Header* previous;
    Header* next;
};
Header all = {&all, &all};

void Link(Header* header) {
    *header = {&all, all.next};
    all.next->previous = header;
    all.next = header;
}
void Unlink(Header* header) {
    header->previous->next = header->next;
    header->next->previous = header->previous;
}
Header* HeaderOf(void* pointer) {
    return static_cast<Header*>(pointer) - 1;
}

void* Allocate(Size size) {
    Header* const header = static_cast<Header*>(malloc(sizeof(Header) + size));
    Link(header);
    return header + 1;
}

std::string error_message;
int database_encoding = PG_UTF8;

// As the server's allocators: what is too large is an ERROR.
void CheckSize(Size size) {
    if (!AllocSizeIsValid(size))
        fuzz::Raise("invalid memory alloc request size");
}

// From 15.20 and 17.12 on: raises an ERROR where the character that text begins with ends behind
// it.
int LengthWithin(const char* text, int length) {
    const int size = pg_encoding_mblen(database_encoding, text);
    if (size > length)
        fuzz::Raise("invalid byte sequence for encoding");
    return size;
}

}  // namespace

namespace fuzz {

void FreeAll() {
    while (all.next != &all)
        pfree(all.next + 1);
}

void Require(bool condition) {
    if (!condition)
        abort();
}

void SetDatabaseEncoding(int encoding) {
    database_encoding = encoding;
}

void Raise(const char* message) {
    throw ServerError{message};
}

}  // namespace fuzz

extern "C" {

MemoryContext CurrentMemoryContext = nullptr;

void* MemoryContextAlloc(MemoryContext, Size size) {
    CheckSize(size);
    return Allocate(size);
}
void* MemoryContextAllocHuge(MemoryContext, Size size) {
    return Allocate(size);
}
void* palloc(Size size) {
    CheckSize(size);
    return Allocate(size);
}
void* palloc0(Size size) {
    CheckSize(size);
    return memset(Allocate(size), 0, size);
}
void pfree(void* pointer) {
    Unlink(HeaderOf(pointer));
    free(HeaderOf(pointer));
}
void* repalloc_huge(void* pointer, Size size) {
    Unlink(HeaderOf(pointer));
    Header* const moved = static_cast<Header*>(realloc(HeaderOf(pointer), sizeof(Header) + size));
    Link(moved);
    return moved + 1;
}
void* repalloc(void* pointer, Size size) {
    CheckSize(size);
    return repalloc_huge(pointer, size);
}
char* pstrdup(const char* text) {
    return static_cast<char*>(memcpy(Allocate(strlen(text) + 1), text, strlen(text) + 1));
}
char* pnstrdup(const char* text, Size length) {
    char* const copy = static_cast<char*>(Allocate(length + 1));
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}
char* psprintf(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char buffer[8192];
    pg_vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return pstrdup(buffer);
}

void initStringInfo(StringInfo string) {
    string->maxlen = 1024;
    string->data = static_cast<char*>(Allocate(1024));
    resetStringInfo(string);
}
void resetStringInfo(StringInfo string) {
    string->data[0] = '\0';
    string->len = 0;
    string->cursor = 0;
}
void enlargeStringInfo(StringInfo string, int needed) {
    int size = string->maxlen;
    if (needed < 0 || static_cast<Size>(needed) >= MaxAllocSize - static_cast<Size>(string->len))
        fuzz::Raise("cannot enlarge string buffer");
    while (size < string->len + needed + 1)
        size *= 2;
    string->data = static_cast<char*>(repalloc(string->data, static_cast<Size>(size)));
    string->maxlen = size;
}

bool errstart(int level, const char*) {
    error_message.clear();
    return level >= ERROR;
}
bool errstart_cold(int level, const char* domain) {
    return errstart(level, domain);
}
void errfinish(const char*, int, const char*) {
    throw fuzz::ServerError{error_message};
}
int errcode(int) {
    return 0;
}
static int Note(const char* format, va_list arguments) {
    char buffer[8192];
    pg_vsnprintf(buffer, sizeof buffer, format, arguments);
    error_message += buffer;
    error_message += '\n';
    return 0;
}
int errmsg(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int result = Note(format, arguments);
    va_end(arguments);
    return result;
}
int errmsg_internal(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int result = Note(format, arguments);
    va_end(arguments);
    return result;
}
int errdetail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int result = Note(format, arguments);
    va_end(arguments);
    return result;
}
int errhint(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int result = Note(format, arguments);
    va_end(arguments);
    return result;
}

int pg_lltoa(int64 number, char* to) {
    return pg_sprintf(to, "%lld", static_cast<long long>(number));
}
int pg_ulltoa_n(uint64 number, char* to) {
    char buffer[24];
    const int length = pg_sprintf(buffer, "%llu", static_cast<unsigned long long>(number));
    memcpy(to, buffer, static_cast<std::size_t>(length));
    return length;
}

int GetDatabaseEncoding(void) {
    return database_encoding;
}
Oid FindDefaultConversion(Oid, int32 from, int32 to) {
    return from == PG_EUC_JP && to == PG_UTF8 ? 1 : InvalidOid;
}
// A character of two bytes becomes one of three, one of three bytes two of two; one in sixteen has
// no counterpart. Told not to raise, it tells how far it has come.
int pg_do_encoding_conversion_buf(Oid conversion, int from, int to, unsigned char* source,
                                  int length, unsigned char* target, int room, bool no_error) {
    if (conversion != 1 || from != PG_EUC_JP || to != PG_UTF8)
        fuzz::Raise("encoding conversion is not there");
    const unsigned char* const start = target;
    int done = 0;
    while (done < length) {
        const char* const at = reinterpret_cast<const char*>(source + done);
        const int size = pg_encoding_verifymbchar(from, at, length - done);
        if (size < 1 || *at == '\0' || (size > 1 && (at[size - 1] & 15) == 15)) {
            if (no_error)
                break;
            fuzz::Raise("character with no equivalent");
        }
        fuzz::Require(target - start + 4 < room);
        const char* const written = size == 1   ? at
                                    : size == 2 ? "\xe3\x81\x82"
                                                : "\xc3\xa9\xc3\xa8";
        const std::size_t written_size = size == 1 ? 1 : strlen(written);
        memcpy(target, written, written_size);
        target += written_size;
        done += size;
    }
    *target = '\0';
    return done;
}
bool pg_verify_mbstr(int encoding, const char* text, int length, bool no_error) {
    if (pg_encoding_verifymbstr(encoding, text, length) == length)
        return true;
    if (!no_error)
        fuzz::Raise("invalid byte sequence for encoding");
    return false;
}
// These trust the text, or raise an ERROR. Nothing that reads what may be any bytes calls them; who
// begins to is found out.
int pg_mblen(const char* text) {
    return pg_encoding_mblen(database_encoding, text);
}
int pg_mbcliplen(const char* text, int length, int limit) {
    int end = 0;
    while (end < length && text[end] != '\0') {
        const int size = pg_encoding_mblen(database_encoding, text + end);
        if (end + size > limit || end + size > length)
            break;
        end += size;
    }
    return end;
}
int pg_mbcharcliplen(const char* text, int length, int limit) {
    int end = 0;
    for (int characters = 0; end < length && text[end] != '\0' && characters < limit; characters++)
        end += LengthWithin(text + end, length - end);
    return end;
}

// Any measure of distance does: it only chooses a hint.
int varstr_levenshtein(const char* text, int length, const char*, int other, int, int, int, bool) {
    if (length > 255 || other > 255)
        fuzz::Raise("levenshtein argument exceeds maximum length of 255 characters");
    for (int i = 0; i < length;)
        i += LengthWithin(text + i, length - i);
    return abs(length - other);
}

// As guc.c reads an integer with a unit of memory.
bool parse_int(const char* value, int* result, int flags, const char** hint) {
    char* end;
    if (hint != nullptr)
        *hint = nullptr;
    const double number = strtod(value, &end);
    if (end == value)
        return false;
    double factor = 1;
    while (*end == ' ')
        end++;
    if (*end != '\0') {
        const std::string unit = end;
        factor = unit == "B"    ? 1
                 : unit == "kB" ? 1024
                 : unit == "MB" ? 1048576
                 : unit == "GB" ? 1073741824
                                : 0;
        if (factor == 0 || (flags & GUC_UNIT_BYTE) == 0) {
            if (hint != nullptr)
                *hint =
                    "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".";
            return false;
        }
    }
    if (!(number * factor >= INT_MIN && number * factor <= INT_MAX))
        return false;
    *result = static_cast<int>(number * factor);
    return true;
}

}  // extern "C"
