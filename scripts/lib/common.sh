# shellcheck shell=bash
# shellcheck disable=SC2034 # variables are shared with the scripts that source this
# What every script of this folder shares: how it speaks, how it fails, how it tidies up.
#
# A script that sources this file runs long commands with run_logged, so that a signal is obeyed at
# once, and hands what has to be undone to at_exit. Whatever ends the script (success, failure,
# Ctrl-C, TERM, a closed terminal), its children are stopped and the undoing is done, last first.

# Exit codes. 1 is any other failure; 129, 130 and 143 are the signals HUP, INT and TERM.
readonly EXIT_USAGE=2       # bad arguments
readonly EXIT_NOT_ALLOWED=3 # something must be installed, and nobody allowed it or could do it
readonly EXIT_UNSUPPORTED=4 # not a system that the scripts know how to install on

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly ROOT

# The caller's surroundings must not reach the servers and builds that are made here: not a PGHOST that
# leads to another cluster, nor a umask that hides files from the user who runs the server.
umask 022
unset CDPATH MAKEFLAGS MFLAGS MAKELEVEL GREP_OPTIONS
CHOSEN_PG_CONFIG=${PG_CONFIG:-}
[[ $CHOSEN_PG_CONFIG != */* ]] || CHOSEN_PG_CONFIG=$(realpath -s -- "$CHOSEN_PG_CONFIG")
readonly CHOSEN_PG_CONFIG
CHOSEN_MAJOR=${PG_MAJOR:-}
unset "${!PG@}"
export LC_ALL=C.UTF-8
# Servers and their tools are looked for where root's own shell may not look.
HOME=${HOME:-/nonexistent}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# The user who runs the server may not be allowed into the caller's folder, and would complain.
cd /

if [[ -t 1 ]]; then BOLD=$'\e[1m' PLAIN=$'\e[0m'; else BOLD='' PLAIN=''; fi

step() { printf '%s==> %s%s\n' "$BOLD" "$*" "$PLAIN"; }
say() { printf '    %s\n' "$@"; }

# die CODE LINE...: the first line says what is wrong, the others what to do about it.
die() {
    local code=$1
    shift
    printf '\n%s: %s\n' "${0##*/}" "$1" >&2
    shift
    (($# == 0)) || printf '    %s\n' "$@" >&2
    exit "$code"
}

# --- the end -----------------------------------------------------------------------------------

UNDO=()
CHILDREN=()

# at_exit FUNCTION: called when the script ends, in whatever way.
at_exit() { UNDO=("$1" "${UNDO[@]}"); }

# Each child leads a session of its own (run_logged), so its whole family goes with it.
stop_children() {
    local child
    for child in "${CHILDREN[@]}"; do
        kill -TERM -- "-$child" 2>/dev/null || kill -TERM "$child" 2>/dev/null || continue
        gone "-$child" || kill -KILL -- "-$child" 2>/dev/null
        wait "$child" 2>/dev/null
    done
    CHILDREN=()
}

# gone PROCESS: waits up to ten seconds for the end of a process, or with a minus, of a process group.
gone() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        kill -0 -- "$1" 2>/dev/null || return 0
        sleep 0.05
    done
    return 1
}

exec {STDERR}>&2
finish() {
    local code=$? undo
    trap '' INT TERM HUP # a second Ctrl-C must not stop the tidying
    trap - EXIT
    set +e
    exec 2>&"$STDERR" # a signal may have come while a function's output went to a log
    ((code != 129 && code != 130 && code != 143)) || printf '\n%s: interrupted, tidying up\n' "${0##*/}" >&2
    stop_children
    for undo in "${UNDO[@]}"; do "$undo"; done
    exit "$code"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# --- running things ----------------------------------------------------------------------------

# run_logged LOG COMMAND...: runs it without input and with its output in LOG; returns its code.
run_logged() {
    local log=$1 status=0
    shift
    setsid "$@" </dev/null >"$log" 2>&1 &
    CHILDREN=("$!")
    wait "$!" || status=$?
    CHILDREN=()
    return "$status"
}

# must LOG WHAT COMMAND...: the same, and the script ends with the end of LOG when it fails.
must() {
    local log=$1 what=$2
    shift 2
    run_logged "$log" "$@" && return
    failed_with "$log" "$what"
}

# failed_with LOG WHAT: ends the script, with what is known about the reason.
failed_with() {
    local log=$1 what=$2
    {
        printf '\n'
        tail -n 25 "$log" | sed 's/^/    | /'
    } >&2
    if grep -iE 'no space left|not enough free space|enough free space|disk quota' "$log" >/dev/null; then
        die 1 "$what failed: the disk is full." "Make room (df -h shows where) and run this again; it goes on where it stopped."
    fi
    die 1 "$what failed; the end of its output is above."
}

# --- folders -----------------------------------------------------------------------------------

# copy_sources FOLDER: the checkout without what was built in it; to be built in, and removed, also where the checkout
# itself is not to be written.
copy_sources() {
    tar -C "$ROOT" --mode=u+w --exclude=./.git --exclude=./build --exclude=./results --exclude=./tmp_check \
        --exclude=./log --exclude=node_modules --exclude='*.o' --exclude='*.bc' --exclude='*.so' --exclude=./bemi_ingest \
        --exclude='./bemi_decoder--*.sql' --exclude='./regression.*' -cf - . | tar -C "$1" -xf - --no-same-owner
}

# make_temp_folder MEGABYTES: sets TEMP to a new folder on a disk with that much room, where programs may
# be started (some systems mount /tmp with noexec), and by a name that make can read: it takes a space as the end of
# one. It is removed at the end.
make_temp_folder() {
    local need=$1 folder free
    at_exit remove_temp_folder
    for folder in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
        if [[ ! -d $folder || ! -w $folder ]]; then continue; fi
        ((${#folder} < 60)) || continue # the path of a socket must be short
        [[ $folder =~ ^[[:alnum:]/._+-]+$ ]] || continue
        free=$(df -Pm -- "$folder" | awk 'NR == 2 { print $4 }')
        ((free >= need)) || continue
        TEMP=$(mktemp -d -- "$folder/bemi.XXXXXX") || continue
        printf '#!/bin/sh\n' >"$TEMP/probe" && chmod +x "$TEMP/probe"
        if "$TEMP/probe" 2>/dev/null; then
            rm -f "$TEMP/probe"
            return
        fi
        remove_temp_folder
    done
    die 1 "no folder for temporary files: $need MB are needed, on a disk that allows programs to run." \
        "Looked in ${TMPDIR:-/tmp}, /tmp and /var/tmp; TMPDIR=/some/folder names another."
}

TEMP=''
remove_temp_folder() {
    [[ -n $TEMP ]] || return 0
    rm -rf -- "$TEMP" || rm -rf -- "$TEMP" # once more: a process that is just ending may have added a file
    TEMP=''
}

# Sets BUILD to the folder that keeps builds from one run to the next: build/ in the checkout; where that can't
# be written, the user's cache; and where there is none, a folder that keeps nothing.
choose_build_folder() {
    for BUILD in "$ROOT/build" "${XDG_CACHE_HOME:-$HOME/.cache}/bemi_decoder" "$TEMP/build"; do
        if mkdir -p "$BUILD" 2>/dev/null && [[ -w $BUILD ]]; then return; fi
    done
    die 1 "no folder to build in."
}

# What root made in a checkout of somebody else's has to be theirs, or they could not remove it. The roots of other
# suites are root's all the same, and have owners of their own inside.
give_build_folder_back() {
    ((EUID != 0)) || [[ $BUILD != "$ROOT"/* ]] ||
        find "$BUILD" -path "$BUILD/roots" -prune -o -exec chown -h --reference="$ROOT" {} + 2>/dev/null || true
}
