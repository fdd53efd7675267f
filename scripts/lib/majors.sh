# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with the scripts that source this
# Other majors of PostgreSQL than the installed ones: scripts/test runs again in a root of the Debian suite that has
# the major (roots.sh), kept in $BUILD/roots, with that suite's own compiler, server and Perl.

readonly OTHER_MAJORS=(17 18 19)

# suite_of MAJOR: prints "SUITE", or "SUITE SUITE-WITH-THE-SERVER" where its packages are in another one.
suite_of() {
    case $1 in
        17) echo trixie ;;
        18) echo forky ;;
        19) echo sid experimental ;;
        *) return 1 ;;
    esac
}

# True where Debian's packages have put that major's server on this system.
is_installed_major() { [[ -x /usr/lib/postgresql/$1/bin/postgres ]]; }

# The results of each major's run, a line each: "MAJOR<TAB>VERSION<TAB>RESULT".
MAJOR_RESULTS=()

# test_in_root MAJOR: the tests of another major; adds to PASSED, FAILED, SKIPPED and MAJOR_RESULTS.
test_in_root() {
    local major=$1 root=$BUILD/roots/$1 log=$TEMP/major-$1.log status=0 suite server_suite result version
    read -r suite server_suite < <(suite_of "$major")
    step "PostgreSQL $major, in a root of Debian $suite"
    if ((IF_POSSIBLE)) && result=$(why_no_root "$root" "$suite"); then
        say "skipped: $result"
        skipped
        MAJOR_RESULTS+=("$major"$'\t'"?"$'\t'"skipped: $result")
        return
    fi
    make_suite_root "$root" "$suite"
    [[ -z $server_suite ]] || add_suite "$root" "$server_suite" \
        "postgresql-$major postgresql-server-dev-$major postgresql-client-$major libpq5 libpq-dev libecpg* libpgtypes*"
    run_in_root "$root" "$log" PG_MAJOR="$major" ${BEMI_TEST_SEED:+BEMI_TEST_SEED="$BEMI_TEST_SEED"} \
        /bemi_decoder/scripts/test "${LONG_FLAG[@]}" "${INNER_TESTS[@]}" || status=$?
    result=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1) || true
    version=$(sed -n 's/^ *PostgreSQL \([0-9a-z.]*\) .*/\1/p' "$log" | sed -n 1p)
    MAJOR_RESULTS+=("$major"$'\t'"${version:-?}"$'\t'"${result:-ended with $status before any result}")
    add_result "$major" "$status" "$result"
}

# add_result MAJOR STATUS RESULT: RESULT is the last line of a run of scripts/test, or empty.
add_result() {
    local numbers
    read -r -a numbers < <(tr -cs '0-9' ' ' <<<"$3") || true
    passed "${numbers[0]:-0}"
    skipped "${numbers[2]:-0}"
    if ((${numbers[1]:-0} > 0)); then
        FAILED=$((FAILED + numbers[1]))
        FAILURES+=("${numbers[1]} tests on PostgreSQL $1: see above")
    elif (($2 != 0)); then
        failed "the run on PostgreSQL $1 (exit code $2)"
    fi
}

print_major_results() {
    ((${#MAJOR_RESULTS[@]} > 0)) || return 0
    step "By major"
    printf '%s\n' "${MAJOR_RESULTS[@]}" | awk -F '\t' '{ printf "    %-4s %-10s %s\n", $1, $2, $3 }'
}
