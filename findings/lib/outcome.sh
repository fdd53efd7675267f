# shellcheck shell=bash
# How every finding ends: the exit codes of ../README.md.
set -euo pipefail

unavailable() {
    echo "cannot be tried here: $*" >&2
    exit 77
}

changed() {
    echo "no longer so: $*" >&2
    exit 1
}

# same WHAT SEEN EXPECTED
same() {
    printf '%s:\n%s\n' "$1" "$2"
    [[ $2 == "$3" ]] || changed "expected
$3"
}
