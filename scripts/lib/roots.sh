# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with the scripts that source this
# Roots of Debian suites, for what must be tried in another system than this one: made by debootstrap, used in
# process and mount namespaces of their own, so that whatever runs in one ends with it and touches nothing else.
# They take root.

# make_suite_root FOLDER SUITE: nothing where it is there already; one that an interrupted run left half made is
# made anew.
make_suite_root() {
    local root=$1 suite=$2 mirror
    [[ ! -f $root/.complete ]] || return 0
    ((EUID == 0)) || die "$EXIT_NOT_ALLOWED" "this needs root: it makes a root of Debian $suite."
    require_tool debootstrap debootstrap
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || die 1 "apt names no mirror to take Debian $suite from."
    say "making a root of Debian $suite in $root (a minute)"
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    must "$TEMP/debootstrap.log" "making a root of Debian $suite" \
        debootstrap --variant=minbase "$suite" "$root" "$mirror" "$(bootstrap_script "$suite")"
    # The mirror may be a copy of some past day. (Signatures are looked at all the same.)
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/80-any-day"
    : >"$root/.complete"
}

readonly ROOT_MEGABYTES=4000 # of a root with a server, a compiler and what the tests leave

# why_no_root FOLDER SUITE: prints why a root can't be made or used here; fails where it can.
why_no_root() {
    local root=$1 suite=$2 mirror room
    if ((EUID != 0)); then
        echo "it needs root"
    elif ! unshare --mount --pid --fork --kill-child --propagation private true 2>/dev/null; then
        echo "no mount and process namespaces can be made here"
    elif [[ ! -f $root/.complete ]]; then
        mirror=$(debian_mirror)
        room=$(df -Pm "$BUILD" | awk 'NR == 2 { print $4 }')
        if ((room < ROOT_MEGABYTES)); then
            echo "it takes $ROOT_MEGABYTES MB, and $room MB are free"
        elif [[ -z $mirror ]] || ! run_logged "$TEMP/mirror.log" /usr/lib/apt/apt-helper -o Acquire::Retries=2 \
            download-file "${mirror%/}/dists/$suite/InRelease" "$TEMP/InRelease"; then
            echo "no mirror gives Debian $suite here"
        else
            return 1
        fi
    else
        return 1
    fi
}

# Prints the mirror that apt takes Debian's packages from; nothing where it names none. Before it has any lists, only its
# configuration tells.
debian_mirror() {
    {
        # shellcheck disable=SC2016 # apt expands it
        apt-get indextargets --format '$(SITE)' 'Origin: Debian' 2>/dev/null
        sed -nE 's#^(URIs:|deb( \[[^]]*\])?) +([a-z]+://[^ ]*/debian/?)( .*)?$#\3#p' \
            /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null || true
    } | awk '!/security/ && !found { print; found = 1 }'
}

# A suite that is newer than debootstrap is made as sid is.
bootstrap_script() {
    local scripts=/usr/share/debootstrap/scripts
    if [[ -e $scripts/$1 ]]; then echo "$scripts/$1"; else echo "$scripts/sid"; fi
}

# add_suite ROOT SUITE PACKAGES: these packages, and they alone, are taken from another suite.
add_suite() {
    local root=$1 suite=$2 packages=$3 mirror
    [[ ! -e $root/etc/apt/preferences.d/$suite ]] || return 0
    mirror=$(awk '$1 == "deb" { print $2; exit }' "$root/etc/apt/sources.list")
    echo "deb $mirror $suite main" >>"$root/etc/apt/sources.list"
    printf 'Package: %s\nPin: release a=%s\nPin-Priority: 990\n' "$packages" "$suite" \
        >"$root/etc/apt/preferences.d/$suite"
}

# run_in_root ROOT LOG COMMAND...: shown as it comes and kept in LOG; the sources are in /bemi_decoder.
run_in_root() {
    local root=$1 log=$2 runner viewer status=0
    shift 2
    rm -rf --one-file-system "$root/bemi_decoder" "$root"/tmp/bemi.*
    mkdir "$root/bemi_decoder"
    copy_sources "$root/bemi_decoder"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
    : >"$log"
    # shellcheck disable=SC2016 # the inner shell expands it
    setsid unshare --mount --pid --fork --kill-child --propagation private bash -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
        exec chroot "$0" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
            LC_ALL=C.UTF-8 "$@"' "$root" "$@" </dev/null >>"$log" 2>&1 &
    runner=$!
    CHILDREN=("$runner")
    tail -n +1 -f -s 0.2 --pid="$runner" "$log" &
    viewer=$!
    wait "$runner" || status=$?
    CHILDREN=()
    wait "$viewer" || true
    rm -rf --one-file-system "$root"/tmp/bemi.*
    return "$status"
}

# require_tool COMMAND PACKAGE: for what only some runs need.
require_tool() {
    have "$1" || install_now "$2" "$2"
}
