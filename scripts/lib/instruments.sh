# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with the scripts that source this
# Instruments that look over the tests' shoulders: each changes how the copy is built (BUILD_FLAGS), or which
# server runs it, and says at the end what it has found.

INSTRUMENT='' BUILD_FLAGS=()
readonly INSTRUMENTS=(sanitize valgrind coverage cassert)

# --- before the build ----------------------------------------------------------------------------

prepare_instrument() {
    case $INSTRUMENT in
        sanitize)
            BUILD_FLAGS=(BEMI_CXXFLAGS='-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize=pointer-overflow -fno-wrapv'
                BEMI_LDFLAGS='-fsanitize=address,undefined'
                INGEST_CXXFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -Wno-maybe-uninitialized')
            ;;
        valgrind) require_tool valgrind valgrind ;;
        coverage)
            require_tool lcov lcov
            # (Without optimization the C library warns that it can't check what the server's flags ask it to.)
            BUILD_FLAGS=(BEMI_CXXFLAGS='-O0 --coverage -fprofile-update=atomic -Wno-cpp' BEMI_LDFLAGS='--coverage'
                INGEST_CXXFLAGS='-O0 -g --coverage -fprofile-update=atomic')
            ;;
    esac
}

# --- around the server ---------------------------------------------------------------------------

# Once there is a private server: what starts as "postgres" there, starts the instrument with it.
equip_server() {
    REPORTS=$TEMP/reports
    mkdir -p "$REPORTS"
    chmod 1777 "$REPORTS"
    case $INSTRUMENT in
        sanitize | valgrind) TEST_ENVIRONMENT+=(BEMI_TEST_INSTRUMENT="$INSTRUMENT") ;;
    esac
    case $INSTRUMENT in
        sanitize) equip_with_sanitizers ;;
        valgrind) wrap_postgres "exec valgrind --quiet --leak-check=no --error-limit=no --trace-children=yes \
            --child-silent-after-fork=no --suppressions=$ROOT/scripts/lib/valgrind.supp --log-file=$REPORTS/valgrind.%p" ;;
    esac
}

wrap_postgres() { # PREFIX: what comes before the server's own command
    mv "$BINDIR/postgres" "$BINDIR/postgres.real"
    printf '#!/bin/bash\n%s "%s" "$@"\n' "$1" "$BINDIR/postgres.real" >"$BINDIR/postgres"
    # A restart takes the program that the server says it is, unless it is told another.
    mv "$BINDIR/pg_ctl" "$BINDIR/pg_ctl.real"
    printf '#!/bin/bash\nexec "%s" "$@" -p "%s"\n' "$BINDIR/pg_ctl.real" "$BINDIR/postgres" >"$BINDIR/pg_ctl"
    chmod 755 "$BINDIR/postgres" "$BINDIR/pg_ctl"
}

# A library that the server loads late can only be sanitized where the runtime is there from the start; and the
# runtime has to have allocated once before other libraries' constructors do.
equip_with_sanitizers() {
    local first=$TEMP/server/first.so asan ubsan options
    printf '%s\n' '#include <stdlib.h>' '__attribute__((constructor)) static void first(void) { free(malloc(1)); }' |
        gcc -x c -shared -fPIC -Wl,-z,initfirst -o "$first" -
    asan=$(gcc -print-file-name=libasan.so)
    ubsan=$(gcc -print-file-name=libubsan.so)
    options=detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=0:log_path=$REPORTS/asan
    wrap_postgres "export LD_PRELOAD='$(realpath "$asan") $(realpath "$ubsan") $first' ASAN_OPTIONS=$options \
        UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:abort_on_error=1:log_path=$REPORTS/ubsan
exec"
    TEST_ENVIRONMENT+=(ASAN_OPTIONS="detect_leaks=1:log_path=$REPORTS/ingest-asan"
        UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:log_path=$REPORTS/ingest-ubsan"
        LSAN_OPTIONS="print_suppressions=0")
}

# --- at the end ----------------------------------------------------------------------------------

report_instrument() {
    case $INSTRUMENT in
        sanitize)
            # A server's process title takes the place of its environment before UBSan looks for its options there: what it
            # says is in the server's own log.
            grep -rhs ': runtime error: ' "$TREE/log" "$TREE/tmp_check/log" >"$REPORTS/ubsan.logs" || true
            report_findings "the sanitizers" "$REPORTS"/*san*
            ;;
        valgrind) report_findings "valgrind" "$REPORTS"/valgrind.* ;;
        coverage) report_coverage ;;
    esac
}

# A report that names code of ours is a failure; the server's own are shown as a number.
report_findings() {
    local name=$1 file ours=() others=0
    shift
    for file in "$@"; do
        [[ -s $file ]] || continue
        if grep -E 'bemi_(decoder|session|ingest)|src/(decoder|session|ingest)/' "$file" >/dev/null; then
            ours+=("$file")
        else
            others=$((others + 1))
        fi
    done
    if ((${#ours[@]} == 0)); then
        say "ok      $name found nothing in our code ($others reports about the server's)"
        passed
        return
    fi
    failed "$name: ${#ours[@]} reports"
    sed -n '1,60s/^/    | /p' "${ours[0]}"
    mkdir -p "$BUILD/reports"
    cp "${ours[@]}" "$BUILD/reports/"
    say "all of them: $BUILD/reports"
}

readonly WANTED_COVERAGE=90 # percent of lines

# The headers of the plugin's rooms are its own, also where the other two include them.
readonly COVERED_PARTS=(decoder session ingest)
coverage_of() { # PART: the patterns of its files
    printf '%s\n' "*/src/$1/*"
    [[ $1 != decoder ]] || printf '%s\n' '*/include/bemi/*' '*/bemi_decoder.cpp'
    [[ $1 != session ]] || printf '%s\n' '*/bemi_session.cpp'
}

report_coverage() {
    local part percent files info=$TEMP/coverage.info folder=$BUILD/coverage found=()
    run_logged "$TEMP/lcov.log" lcov --quiet --capture --directory "$TREE" --output-file "$info" --no-external \
        --base-directory "$TREE" || failed_with "$TEMP/lcov.log" "lcov"
    rm -rf "$folder"
    mkdir -p "$folder"
    for part in "${COVERED_PARTS[@]}"; do
        mapfile -t files < <(coverage_of "$part")
        run_logged "$TEMP/lcov.log" lcov --quiet --extract "$info" "${files[@]}" --output-file "$folder/$part.info" ||
            failed_with "$TEMP/lcov.log" "lcov"
        [[ -s $folder/$part.info ]] || continue # none of it has run
        found+=("$folder/$part.info")
        step "Lines of $part that were run"
        summarize_coverage "$folder/$part.info"
        ((ALL_SQL && ALL_TAP)) || continue
        percent=$(summarize_coverage "$folder/$part.info" | awk '$1 == "total" { print $2 }')
        if ((${percent%%.*} >= WANTED_COVERAGE)); then passed; else failed "coverage of $part: $percent % of lines"; fi
    done
    run_logged "$TEMP/lcov.log" genhtml --quiet --prefix "$TREE" "${found[@]}" --output-directory "$folder/html" ||
        failed_with "$TEMP/lcov.log" "genhtml"
    give_build_folder_back
    say "all lines: $folder/html/index.html"
}

# A line for each file, with the lines that were never run, and one for all.
summarize_coverage() { # FILE
    awk -F '[:,]' '
        function end_of_run() { if (first) never = never " " (first == last ? first : first "-" last); first = 0 }
        $1 == "SF" { file = substr($0, 4); sub(/.*\/(src|include|tree)\//, "", file); lines = run = 0; never = "" }
        $1 == "DA" { lines++; if ($3 > 0) { run++; end_of_run() } else { if (!first) first = $2; last = $2 } }
        $1 == "end_of_record" {
            end_of_run(); all += lines; all_run += run
            if (lines > 0) printf "%-32s %5.1f %% of %4d%s\n", file, 100 * run / lines, lines, (never == "" ? "" : "  not" never)
        }
        END { printf "%-32s %5.1f %% of %4d\n", "total", all ? 100 * all_run / all : 0, all }' "$1" | sed 's/^/    /'
}

# --- a server that checks itself -----------------------------------------------------------------

# Sets CHOSEN_PG_CONFIG to that of a server with assertions, of the same release as the installed one, built out of
# Debian's source package and kept in $BUILD, and with that server's own regression suite. It takes ten minutes, once.
make_assert_server() {
    local version folder source
    version=$("$SERVER_CONFIG" --version | awk '{ print $2 }')
    folder=$BUILD/assert-server/$version
    if [[ ! -f $folder/.complete ]]; then
        ((EUID == 0)) || die "$EXIT_NOT_ALLOWED" "--cassert needs root: it installs what a server is built with."
        say "building a server with assertions in $folder (ten minutes)"
        install_now "what a server is built with" \
            bison flex libreadline-dev zlib1g-dev liblz4-dev libxml2-dev bzip2 xz-utils
        fetch_server_source
        source=$(echo "$TEMP"/source/postgresql-*/)
        allow_decoding_after_a_failure "$source"
        must "$TEMP/configure.log" "configuring the server" env -C "$source" ./configure --prefix="$folder" \
            --enable-cassert --enable-debug --enable-tap-tests --with-lz4 --with-libxml --without-icu CFLAGS='-O1 -g'
        must "$TEMP/make-server.log" "building the server" make -s -j"$(nproc)" -C "$source" install-world-bin
        must "$TEMP/make-suite.log" "building the server's regression suite" make -s -C "$source/src/test/regress" install-tests
        : >"$folder/.complete"
    fi
    SERVER_CONFIG=$folder/bin/pg_config UNPACKED=''
}

# The source package of the major's present release in Debian's main suite: apt verifies it.
fetch_server_source() {
    local state=$TEMP/apt-source suite mirror
    suite=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    mirror=$(debian_mirror)
    mkdir -p "$state/lists/partial" "$TEMP/source"
    echo "deb-src $mirror $suite main" >"$state/sources.list"
    local options=(-o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State::lists="$state/lists" -o APT::Sandbox::User=root)
    must "$TEMP/apt-tool.log" "fetching the list of source packages" apt-get -q "${options[@]}" update
    must "$TEMP/apt-tool.log" "fetching the server's source" env -C "$TEMP/source" \
        apt-get -q "${options[@]}" source --download-only "postgresql-$MAJOR"
    tar -C "$TEMP/source" -xf "$TEMP"/source/postgresql-*.orig.tar.*
}

# A decoding that fails inside of a plpgsql block leaves its slot acquired until the session's next error. The server
# can live with that and acquires it again, but asserts that nobody does; tests of ours do, on purpose.
allow_decoding_after_a_failure() {
    sed -i '/^ReplicationSlotAcquire(/,/^}/{/Assert(MyReplicationSlot == NULL);/d}' "$1/src/backend/replication/slot.c"
}
