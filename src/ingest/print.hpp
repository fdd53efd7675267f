// What others wrote, on its way to a terminal or a log.
//
// Keys, names, error texts, arguments: any of them may hold escape sequences, line breaks that
// forge a line of ours, or characters that turn the order of what is seen. So every line that a
// command writes goes through here, as one line: nothing else writes to stdout or stderr (a test
// looks). A string without a character of that kind is shown as it is.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace bemi::ingest {

// One line, whatever is in the text: control characters, line separators, directions of writing,
// invisible characters and bytes that are no UTF-8 are written as \n, \x1b, \u202e.
std::string Printable(std::string_view text);

// Without the passwords of connection strings and URIs in it.
std::string WithoutPasswords(std::string_view text);

// An argument, quoted; where it could be a connection string, words in its place.
std::string Shown(const std::string& argument, const char* quote = "\"");

// True for what Printable does not show as it is; the code point is not ASCII.
bool IsUnprintable(char32_t code_point);
// Takes a character off the text: its code point, or -1 and one byte where it is no UTF-8.
struct Character {
    long code_point;
    std::string_view bytes;
};
Character TakeCharacter(std::string_view* text);

// A line of its own. Complain: on stderr, as "bemi_ingest: …", without passwords.
void PrintLine(std::FILE* to, std::string_view line);
void Complain(std::string_view line);
// Lines that are printable each.
void PrintText(std::FILE* to, std::string_view text);

}  // namespace bemi::ingest
