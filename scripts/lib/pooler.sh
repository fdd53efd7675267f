# shellcheck shell=bash disable=SC2153 # variables are shared with the scripts that source this
# pgbouncer for the tests of poolers. Debian's package starts a service where it is installed, so it is unpacked into
# build/ and never installed; a machine that has it uses its own.

# add_pooler: puts it beside the programs of the private server, where the tests look. Where it can't be had, they are
# skipped.
add_pooler() {
    local folder=$BUILD/pgbouncer own=$TEMP/server/pgbouncer
    ! have pgbouncer || return 0
    if [[ ! -f $folder/.complete ]] && ! unpack_pooler "$folder"; then
        say "apt gives no pgbouncer: tests of poolers will be skipped"
        return 0
    fi
    cp -r "$folder" "$own" # the server's user may not be allowed into the checkout
    # shellcheck disable=SC2016 # the script expands it
    printf '#!/bin/sh\nLD_LIBRARY_PATH=$(echo %s/usr/lib/*/ | tr " " :) exec %s/usr/sbin/pgbouncer "$@"\n' "$own" "$own" >"$BINDIR/pgbouncer"
    chmod 755 "$BINDIR/pgbouncer"
}

# unpack_pooler FOLDER: with the libraries that are not installed here.
unpack_pooler() {
    local folder=$1 log=$TEMP/pooler.log package packages=(pgbouncer)
    have apt-get || return 1
    candidate pgbouncer >/dev/null || apt_as_root update >"$log" 2>&1 || return 1
    while read -r package; do
        installed_version "$package" >/dev/null || packages+=("$package")
    done < <(apt-cache depends pgbouncer | sed -nE 's/^ *Depends: (lib[^ ]+)$/\1/p')
    unpack_packages "$folder" "$log" "${packages[@]}" || return 1
    mkdir -p "$folder/usr/lib/none" # a pattern of add_pooler's script has to find something
}
