// The help text, and the nearest of some names.
#pragma once

#include <string>
#include <vector>

namespace bemi::ingest {

extern const char* const kUsage;
extern const char* const kVersion;

const std::vector<std::string>& Commands();
bool IsCommand(const std::string& word);

// "did you mean slot?", or empty.
std::string Nearest(const std::string& word, const std::vector<std::string>& names);

}  // namespace bemi::ingest
