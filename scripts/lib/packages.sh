# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with the scripts that source this
# Finds out what is missing to build and run bemi_decoder, and installs it by apt.
#
# The rule of this file: a PostgreSQL that is installed stays as it is. It is not upgraded, not restarted,
# and gets no cluster. So the headers are taken in the version of the server that is there; where apt
# would touch the server for them, they are unpacked into a folder of their own under build/ instead; and where it
# has only those of another minor release, which don't fit, that release's server is unpacked beside them and used.

readonly OLDEST_MAJOR=14

MAJOR=''           # of the server that is used
SERVER_CONFIG=''   # its pg_config; empty as long as the server isn't installed
UNPACKED=''        # folder with this server's headers, if they were unpacked instead of installed
MISSING=()         # Debian packages that have to be installed
MISSING_HEADERS='' # the package with the server's headers, where it is missing

have() { command -v "$1" >/dev/null 2>&1; }

# installed_version PACKAGE: prints it; fails if the package is not installed.
installed_version() {
    local status version
    read -r status version < <(dpkg-query -W -f='${db:Status-Status} ${Version}\n' "$1" 2>/dev/null) || return 1
    [[ $status == installed ]] && printf '%s\n' "$version"
}

# --- what is here ------------------------------------------------------------------------------

# True where the server of that pg_config has its headers and PGXS.
has_headers() {
    [[ -f $("$1" --pgxs 2>/dev/null) && -f $("$1" --includedir-server)/postgres.h ]]
}

# Sets MAJOR and SERVER_CONFIG: PG_CONFIG if that was given; else, of the servers that Debian's packages
# brought, the one of PG_MAJOR, or the newest that has headers, or the newest.
find_server() {
    local config best=''
    if [[ -n $CHOSEN_PG_CONFIG ]]; then
        use_server "$CHOSEN_PG_CONFIG" || die 1 "PG_CONFIG=$CHOSEN_PG_CONFIG does not lead to a server."
        has_headers "$SERVER_CONFIG" || die 1 "the server of PG_CONFIG=$CHOSEN_PG_CONFIG has no headers."
        return
    fi
    while read -r config; do
        if [[ -n $CHOSEN_MAJOR && $config != */"$CHOSEN_MAJOR"/bin/pg_config ]]; then continue; fi
        [[ -n $best ]] || best=$config
        if has_headers "$config"; then
            best=$config
            break
        fi
    done < <(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV)
    if [[ -n $best ]] && use_server "$best"; then return; fi
    # Not Debian's layout: what is in PATH, if it is a whole server.
    if [[ -z $CHOSEN_MAJOR ]] && have pg_config && has_headers pg_config; then use_server pg_config || true; fi
}

# use_server PG_CONFIG: fails, and changes nothing, where it leads to no server.
use_server() {
    local bindir version major
    bindir=$("$1" --bindir 2>/dev/null) && [[ -x $bindir/postgres && -x $bindir/initdb ]] || return 1
    version=$("$1" --version)
    major=${version#PostgreSQL }
    major=${major%%[!0-9]*}
    ((major >= OLDEST_MAJOR)) || return 1
    MAJOR=$major SERVER_CONFIG=$1
}

# need PACKAGE: one more that has to be installed.
need() { MISSING+=("$1"); }

# Fills MISSING with what a build and a run need.
find_missing() {
    find_server
    if [[ -z $SERVER_CONFIG ]]; then
        need server # its name needs the package lists: see name_server_packages
    elif ! has_headers "$SERVER_CONFIG"; then
        UNPACKED=$(unpacked_headers) || use_unpacked_server || MISSING_HEADERS=postgresql-server-dev-$MAJOR
    fi
    if ! have gcc || ! have g++; then need g++; fi
    have make || need make
    g++ -x c++ -E - <<<'#include <rapidjson/rapidjson.h>' >/dev/null 2>&1 || need rapidjson-dev
    g++ -x c++ -E - <<<'#include <openssl/evp.h>' >/dev/null 2>&1 || need libssl-dev
    find_more_missing
}

# For a script that needs more than a build does.
find_more_missing() { :; }

nothing_missing() { ((${#MISSING[@]} == 0)) && [[ -z $MISSING_HEADERS ]]; }

# What is missing, in words, for somebody who has to install it by another way.
missing_in_words() {
    local all="${MISSING[*]} $MISSING_HEADERS"
    all=${all/server /"postgresql-${CHOSEN_MAJOR:-15} postgresql-server-dev-${CHOSEN_MAJOR:-15} "}
    printf '%s\n' "$all" | xargs
}

describe_what_is_here() {
    local headers=''
    [[ -z $UNPACKED ]] || headers=", its headers in $UNPACKED"
    say "$("$SERVER_CONFIG" --version) in $("$SERVER_CONFIG" --bindir)$headers"
    say "$(g++ --version | sed -n 1p), $(make --version | sed -n 1p), rapidjson"
}

# --- installing --------------------------------------------------------------------------------

AS_ROOT=() # what comes before a command that only root may run

# install_missing YES: installs what find_missing found; asks first, unless YES is 1.
install_missing() {
    local yes=$1
    if nothing_missing; then
        undo_killed_installation
        return
    fi
    require_a_way_to_install "$yes"
    restore_cluster_settings
    fetch_lists_if_missing
    name_server_packages
    make_plan
    ask_for_plan "$yes"
    carry_out_plan
    MISSING=() MISSING_HEADERS=''
    find_missing
    nothing_missing || die 1 "still missing after the installation: $(missing_in_words)"
}

# Ends the script before anything was touched, where it could not or may not install.
require_a_way_to_install() {
    local yes=$1 system
    system=$(. /etc/os-release 2>/dev/null && printf '%s' "${PRETTY_NAME:-}") || true
    if ! have apt-get || ! have dpkg-query; then
        die "$EXIT_UNSUPPORTED" "there is no apt here (${system:-an unknown system}), and this script knows no other way to install." \
            "Missing here (as Debian names it): $(missing_in_words)." \
            "Install that by hand and run this again, with PG_CONFIG=/path/to/pg_config where it is not in PATH."
    fi
    if ((EUID != 0)) && ((${#MISSING[@]} > 0)); then
        have sudo || die "$EXIT_NOT_ALLOWED" "you are not root and there is no sudo. Let root run this, then try again:" \
            "apt-get update && apt-get install --no-install-recommends $(missing_in_words)" \
            "(Where there is no PostgreSQL yet, this makes and starts a cluster; \`create_main_cluster = false\` in" \
            "/etc/postgresql-common/createcluster.conf, after installing postgresql-common, prevents it.)"
    fi
    if [[ ! -t 0 ]] && ((yes == 0)); then
        die "$EXIT_NOT_ALLOWED" "this would have to install: $(missing_in_words)" \
            "There is no terminal to ask on; --yes allows it."
    fi
    become_able_to_install
}

# sudo asks for the password here, where it is clear what for, or not at all.
become_able_to_install() {
    if ((EUID == 0)) || ! have sudo; then return 0; fi
    say "sudo is used to install what is missing"
    sudo -v || die "$EXIT_NOT_ALLOWED" "sudo did not allow it. Nothing was installed."
    AS_ROOT=(sudo)
}

# apt_as_root ARG...: no questions, waits for another apt, and lets no helper restart services.
apt_as_root() {
    "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8 \
        apt-get -y -q -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# install_now WHAT PACKAGE...: for what only some runs need; with new lists where the old ones lead nowhere.
install_now() {
    local what=$1 log=$TEMP/apt-tool.log
    shift
    {
        apt_as_root install --no-install-recommends "$@" ||
            { apt_as_root update && apt_as_root install --no-install-recommends "$@"; }
    } >"$log" 2>&1 || failed_with "$log" "installing $what"
}

# Prints the version of PACKAGE that apt would install; fails where apt knows none.
candidate() {
    local version
    version=$(apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" { print $2 }')
    [[ -n $version && $version != '(none)' ]] && printf '%s\n' "$version"
}

fetch_lists_if_missing() {
    local package
    for package in "${MISSING[@]}" $MISSING_HEADERS; do
        [[ $package != server ]] || package=postgresql${CHOSEN_MAJOR:+-$CHOSEN_MAJOR}
        candidate "$package" >/dev/null && continue
        fetch_lists
        candidate "$package" >/dev/null ||
            failed_with_network "$TEMP/apt-update.log" "apt knows no package $package, even after apt-get update"
    done
}

LISTS_FETCHED=0
fetch_lists() {
    ((LISTS_FETCHED == 0)) || return 0
    LISTS_FETCHED=1
    say "fetching apt's package lists (apt-get update; this installs nothing)"
    apt_as_root update >"$TEMP/apt-update.log" 2>&1 ||
        failed_with_network "$TEMP/apt-update.log" "apt-get update failed"
}

# failed_with_network LOG WHAT: apt's failures are mostly the network's.
failed_with_network() {
    local log=$1 what=$2 unreachable='Temporary failure resolving|Could not resolve|Could not connect|Failed to fetch|Unable to connect|Network is unreachable|Connection timed out'
    tail -n 25 "$log" | sed 's/^/    | /' >&2
    if grep -iE 'no space left|enough free space' "$log" >/dev/null; then
        die 1 "$what: the disk is full." "Make room (df -h shows where) and run this again."
    elif grep -iE "$unreachable" "$log" >/dev/null; then
        die 1 "$what: apt could not reach its servers." "Is there a network, and does /etc/apt/sources.list* name the right servers?"
    elif grep -F 'dpkg --configure -a' "$log" >/dev/null; then
        die 1 "$what: dpkg was interrupted earlier." "Run dpkg --configure -a as root, then this again."
    fi
    die 1 "$what; the end of what it said is above."
}

# The server's packages carry the major in their names; without PG_MAJOR it is the distribution's own.
name_server_packages() {
    local i version
    for i in "${!MISSING[@]}"; do
        [[ ${MISSING[i]} == server ]] || continue
        MAJOR=$CHOSEN_MAJOR
        if [[ -z $MAJOR ]]; then
            version=$(candidate postgresql) || die "$EXIT_UNSUPPORTED" "apt knows no PostgreSQL here."
            MAJOR=${version%%[!0-9]*}
        fi
        ((MAJOR >= OLDEST_MAJOR)) ||
            die "$EXIT_UNSUPPORTED" "this system has PostgreSQL $MAJOR; bemi_decoder needs $OLDEST_MAJOR or later."
        candidate "postgresql-$MAJOR" >/dev/null || die "$EXIT_UNSUPPORTED" "apt knows no package postgresql-$MAJOR."
        MISSING[i]=postgresql-$MAJOR
        MISSING_HEADERS=postgresql-server-dev-$MAJOR
    done
}

# --- the plan ----------------------------------------------------------------------------------

PLAN=()   # arguments of apt-get install, with versions where they matter
UNPACK=() # the same, of what is unpacked instead

make_plan() {
    PLAN=()
    local package
    for package in "${MISSING[@]}" $MISSING_HEADERS; do PLAN+=("$(pin "$package")"); done
    if [[ -n $MISSING_HEADERS ]] && same_version libpq5 libpq-dev; then PLAN+=("$(pin libpq-dev)"); fi
    if [[ -z $MISSING_HEADERS ]] || headers_can_be_installed; then
        plan_is_harmless || die 1 "installing ${PLAN[*]} would change a PostgreSQL that is installed:" \
            "$(touched_postgresql)" "This script never does that. Install what is missing by hand and run it again."
        return
    fi
    # Without the headers' package, and what only it needs.
    if headers_have_version; then
        UNPACK=("$(pin "$MISSING_HEADERS")")
    else
        UNPACK=("$MISSING_HEADERS" "postgresql-$MAJOR" "postgresql-client-$MAJOR")
        UNPACK=("${UNPACK[@]/%/=$(candidate "$MISSING_HEADERS")}")
    fi
    PLAN=()
    for package in "${MISSING[@]}"; do PLAN+=("$(pin "$package")"); done
    ((${#PLAN[@]} == 0)) || plan_is_harmless || die 1 "installing ${PLAN[*]} would change a PostgreSQL that is installed:" \
        "$(touched_postgresql)" "This script never does that. Install what is missing by hand and run it again."
}

# Root, or sudo, and a plan that leaves PostgreSQL alone.
headers_can_be_installed() {
    ((EUID == 0)) || have sudo || return 1
    headers_have_version && plan_is_harmless
}

# The version of PostgreSQL that is installed already, server or client; fails where there is none.
version_here() { installed_version "postgresql-$MAJOR" || installed_version "postgresql-client-$MAJOR"; }

headers_have_version() {
    local version
    version=$(version_here) || return 0
    apt_has "$MISSING_HEADERS" "$version"
}

# apt_has PACKAGE VERSION: it can be downloaded.
apt_has() { apt-cache madison "$1" 2>/dev/null | awk -F ' *[|] *' -v v="$2" '$2 == v { found = 1 } END { exit !found }'; }

# True where the first package is installed, and apt has the second in that version.
same_version() {
    local version
    version=$(installed_version "$1") && apt_has "$2" "$version"
}

# pin PACKAGE: prints it as PACKAGE=VERSION, where it has to go with a PostgreSQL that is installed.
pin() {
    local version=''
    case $1 in
        postgresql-*"$MAJOR") version=$(version_here) || true ;;
        libpq-dev) version=$(installed_version libpq5) || true ;;
    esac
    if [[ -n $version ]] && apt_has "$1" "$version"; then
        printf '%s=%s\n' "$1" "$version"
    else
        printf '%s\n' "$1"
    fi
}

simulate() { apt-get install -s -q --no-install-recommends "${PLAN[@]}" >"$TEMP/apt-plan.log" 2>&1; }

# Of a simulation, the lines where something of PostgreSQL that is installed would be changed or removed.
# apt writes the version that is there in brackets: "Inst libpq5 [15.1] (15.2 …)".
touched_postgresql() {
    grep -E '^(Inst (postgresql|libpq)[^ ]* \[|(Remv|Purg) (postgresql|libpq))' "$TEMP/apt-plan.log"
}

plan_is_harmless() {
    if ! simulate; then
        failed_with_plan
        return 1
    fi
    ! touched_postgresql >/dev/null
}

# Held or conflicting packages: apt's own words say it best, and another plan may do.
failed_with_plan() {
    [[ -n $MISSING_HEADERS ]] || failed_with "$TEMP/apt-plan.log" "planning the installation of ${PLAN[*]}"
}

ask_for_plan() {
    local yes=$1 answer upgrades
    if ((${#PLAN[@]} > 0)); then
        say "to be installed by apt: ${PLAN[*]}"
        "${AS_ROOT[@]}" apt-get install --assume-no --no-install-recommends "${PLAN[@]}" >"$TEMP/apt-size.log" 2>/dev/null || true
        grep -E '^[0-9]+ upgraded|^Need to get|^After this operation' "$TEMP/apt-size.log" | sed 's/^/      /' || true
        upgrades=$(awk '$1 == "Inst" && $3 ~ /^\[/ { print $2 }' "$TEMP/apt-plan.log" | xargs)
        [[ -z $upgrades ]] || say "  upgraded by that: $upgrades"
        require_room
    fi
    ((${#UNPACK[@]} == 0)) ||
        say "to be unpacked into $BUILD (to install it would change the PostgreSQL that is here, or needs root):" \
            "  ${UNPACK[*]}"
    [[ -n $SERVER_CONFIG ]] || say "No cluster is made and no server is started by this."
    ((yes == 0)) || return 0
    read -r -p "    Go on? [Y/n] " answer || answer=n
    [[ -z $answer || $answer == [yY]* ]] || die "$EXIT_NOT_ALLOWED" "nothing was installed."
}

# apt checks the room for its downloads, but not for what it unpacks.
require_room() {
    local number unit free
    read -r number unit < <(sed -n 's/^After this operation, \([0-9.,]*\) \([kMG]B\) of additional.*/\1 \2/p' "$TEMP/apt-size.log") || return 0
    number=${number//,/}
    case $unit in
        MB) number=${number%.*} ;;
        GB) number=$(awk -v n="$number" 'BEGIN { print int(n * 1000) }') ;;
        *) return 0 ;;
    esac
    free=$(df -Pm /usr | awk 'NR == 2 { print $4 }')
    ((free > number)) || die 1 "the disk is full: $number MB are needed and $free MB are free (df -h /usr)." "Nothing was installed."
}

# --- doing it ----------------------------------------------------------------------------------

carry_out_plan() {
    if ((${#PLAN[@]} > 0)); then
        local installs_server=0
        [[ -n $SERVER_CONFIG ]] || installs_server=1
        say "downloading"
        download_plan
        say "installing (a minute or two)"
        if ((installs_server)); then
            install_all_but_server
            forbid_clusters
        fi
        install_downloaded "${PLAN[@]}"
        if ((installs_server)); then allow_clusters; fi
    fi
    ((${#UNPACK[@]} == 0)) || unpack
}

download_plan() {
    local log=$TEMP/apt-download.log
    apt_as_root install --download-only --no-install-recommends "${PLAN[@]}" >"$log" 2>&1 && return
    # Lists older than what the servers hold now: new ones, and once more.
    if ((LISTS_FETCHED == 0)) && grep -F 'Failed to fetch' "$log" >/dev/null; then
        fetch_lists
        make_plan
        apt_as_root install --download-only --no-install-recommends "${PLAN[@]}" >"$log" 2>&1 && return
    fi
    failed_with_network "$log" "downloading ${PLAN[*]} failed"
}

# Ctrl-C in the midst of dpkg would leave packages half installed, and the next apt would complain. So dpkg's
# part runs where the terminal's signals don't reach it, and the script leaves as soon as it is done.
install_downloaded() {
    local signal='' status pid
    local log=$TEMP/apt-install.log
    trap 'signal=129' HUP
    trap 'signal=130; say "(stopping as soon as dpkg has finished, so that no package is left half installed)"' INT
    trap 'signal=143' TERM
    apt_in_own_session install --no-install-recommends "$@" >"$log" 2>&1 &
    pid=$!
    while :; do
        local before=$signal
        status=0
        wait "$pid" || status=$?
        [[ $signal != "$before" ]] || break
    done
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    [[ -z $signal ]] || exit "$signal"
    ((status == 0)) || failed_with_network "$log" "installing $* failed"
}

# Without -n sudo could ask for a password here, where nobody sees the question.
apt_in_own_session() {
    local sudo=("${AS_ROOT[@]}")
    ((${#sudo[@]} == 0)) || sudo+=(-n)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8 \
        setsid --wait apt-get -y -q -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# Debian makes and starts a cluster with the first server, unless createcluster.conf says no; and a removed
# server's clusters would come back to life. Both are ruled out while the server is installed, and the files
# are as before afterwards.
readonly CLUSTER_SETTINGS=/etc/postgresql-common/createcluster.conf
readonly SAVED_SETTINGS=$CLUSTER_SETTINGS.before-bemi
readonly START_POLICY=/usr/sbin/policy-rc.d
readonly MARK='# bemi_decoder: for the time of one installation'
CLUSTERS_FORBIDDEN=0

# postgresql-common, which the rest of the plan needs as a rule, brings createcluster.conf.
install_all_but_server() {
    local package others=()
    for package in "${PLAN[@]}"; do
        [[ $package == "postgresql-$MAJOR" || $package == "postgresql-$MAJOR="* ]] || others+=("$package")
    done
    ((${#others[@]} == 0)) || install_downloaded "${others[@]}"
    [[ ! -e $CLUSTER_SETTINGS ]] || return 0
    install_downloaded postgresql-common
    "${AS_ROOT[@]}" apt-mark auto postgresql-common >/dev/null
}

forbid_clusters() {
    CLUSTERS_FORBIDDEN=1
    at_exit allow_clusters
    "${AS_ROOT[@]}" cp -p "$CLUSTER_SETTINGS" "$SAVED_SETTINGS"
    printf '\n%s\ncreate_main_cluster = false\n' "$MARK" |
        "${AS_ROOT[@]}" tee -a "$CLUSTER_SETTINGS" >/dev/null
    if compgen -G '/etc/postgresql/*/*/postgresql.conf' >/dev/null && [[ ! -e $START_POLICY ]]; then
        printf '#!/bin/sh\n%s\nexit 101\n' "$MARK" | "${AS_ROOT[@]}" tee "$START_POLICY" >/dev/null
        "${AS_ROOT[@]}" chmod 755 "$START_POLICY"
    fi
}

allow_clusters() {
    ((CLUSTERS_FORBIDDEN)) || return 0
    CLUSTERS_FORBIDDEN=0
    restore_cluster_settings
}

restore_cluster_settings() {
    if [[ -e $SAVED_SETTINGS ]]; then "${AS_ROOT[@]}" mv "$SAVED_SETTINGS" "$CLUSTER_SETTINGS"; fi
    if [[ -e $START_POLICY ]] && grep -xF "$MARK" "$START_POLICY" >/dev/null; then
        "${AS_ROOT[@]}" rm -f "$START_POLICY"
    fi
}

# A run that was killed in the midst of an installation could not put the settings back: the next one does.
undo_killed_installation() {
    [[ -e $SAVED_SETTINGS ]] || return 0
    if ((EUID != 0)); then
        have sudo || return 0
        AS_ROOT=(sudo)
    fi
    restore_cluster_settings
}

# --- headers, or a server, of our own ------------------------------------------------------------

# Prints the folder of headers that were unpacked for exactly this server; fails where there are none.
unpacked_headers() {
    local folder
    folder=$BUILD/headers/$(server_version)
    [[ -f $folder/.complete ]] && printf '%s\n' "$folder"
}

# Its pg_config finds its own folder, like all of PostgreSQL's programs.
use_unpacked_server() {
    local folder=$BUILD/server/$MAJOR
    [[ -f $folder/.complete ]] && use_server "$folder/usr/lib/postgresql/$MAJOR/bin/pg_config"
}

# "PostgreSQL 15.18 (Debian 15.18-0+deb12u1)" → 15.18
server_version() { "$SERVER_CONFIG" --version | awk '{ print $2 }'; }

unpack() {
    local folder log=$TEMP/apt-unpack.log status=0
    [[ -n $SERVER_CONFIG ]] || find_server # it was installed just now
    folder=$BUILD/server/$MAJOR
    ((${#UNPACK[@]} > 1)) || folder=$BUILD/headers/$(server_version)
    say "unpacking into $folder"
    unpack_packages "$folder" "$log" "${UNPACK[@]}" || status=$?
    case $status in
        0) ;;
        1) failed_with_network "$log" "downloading ${UNPACK[*]} failed" ;;
        *) failed_with "$log" "unpacking ${UNPACK[*]}" ;;
    esac
}

# unpack_packages FOLDER LOG PACKAGE...: into a folder of build/, which then has .complete in it; nothing is installed.
# Returns 1 where a package can't be downloaded, 2 where one can't be unpacked.
unpack_packages() {
    local folder=$1 log=$2 debs deb
    shift 2
    debs=$(mktemp -d "$TEMP/debs.XXXXXX") || return 2
    rm -rf "$folder"
    mkdir -p "$folder" || return 2
    (cd "$debs" && apt-get download -q "$@") >"$log" 2>&1 || return 1
    for deb in "$debs"/*.deb; do
        dpkg-deb -x "$deb" "$folder" >"$log" 2>&1 || return 2
    done
    : >"$folder/.complete"
    give_build_folder_back
}
