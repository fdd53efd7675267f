#!/bin/sh
# Writes the C++ file that holds the SQL files given as arguments, without their comments at the margin: a
# name with a line break that stands for @schema@ would end one. Their sum tells builds apart.
set -eu
echo '// Made by embed-sql.sh: do not edit.'
echo '#include "sql_files.hpp"'
echo 'namespace bemi::ingest {'
echo 'const SqlFile kSqlFiles[] = {'
for file in "$@"; do
	printf '{"%s", R"bemi_sql(' "$(basename "$file")"
	sed '/^--/d' "$file"
	echo ')bemi_sql"},'
done
echo '};'
echo 'const size_t kSqlFileCount = sizeof kSqlFiles / sizeof kSqlFiles[0];'
printf 'const char kSqlFingerprint[] = "%s";\n' "$(cat "$@" | sed '/^--/d' | cksum | tr ' ' '-')"
echo '}  // namespace bemi::ingest'
