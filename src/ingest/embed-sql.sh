#!/bin/sh
# Writes the C++ file that holds the SQL files given as arguments.
set -eu
echo '// Made by embed-sql.sh: do not edit.'
echo '#include "sql_files.hpp"'
echo 'namespace bemi::ingest {'
echo 'const SqlFile kSqlFiles[] = {'
for file in "$@"; do
	printf '{"%s", R"bemi_sql(' "$(basename "$file")"
	cat "$file"
	echo ')bemi_sql"},'
done
echo '};'
echo 'const size_t kSqlFileCount = sizeof kSqlFiles / sizeof kSqlFiles[0];'
echo '}  // namespace bemi::ingest'
