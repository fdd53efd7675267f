# shellcheck shell=bash disable=SC2153 # variables are shared with the scripts that source this
# pg_repack and pg_partman for the test of neighbours. Installing Debian's packages could upgrade the server that is
# installed, so they are unpacked into build/, and from there into the private server.

# add_neighbours: beside the private server's own extensions and programs. Where they can't be had, the test is skipped.
add_neighbours() {
    local folder=$BUILD/neighbours-$MAJOR log=$TEMP/neighbours.log packages kind
    packages=("postgresql-$MAJOR-repack" "postgresql-$MAJOR-partman")
    if [[ ! -f $folder/.complete ]]; then
        have apt-get || return 0
        candidate "${packages[0]}" >/dev/null || apt_as_root update >"$log" 2>&1 || true
        if ! unpack_packages "$folder" "$log" "${packages[@]}"; then
            say "apt gives no ${packages[*]}: the test of neighbours will be skipped"
            return 0
        fi
    fi
    for kind in sharedir pkglibdir bindir; do
        [[ ! -d $folder$("$SERVER_CONFIG" "--$kind") ]] ||
            cp -rn "$folder$("$SERVER_CONFIG" "--$kind")/." "$TEMP/server$("$SERVER_CONFIG" "--$kind")/"
    done
}
