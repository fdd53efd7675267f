# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with the scripts that source this
# What the bench's scripts share: the plugins that are measured, and a private cluster that has them.

# shellcheck source=../../scripts/lib/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=../../scripts/lib/packages.sh
source "$ROOT/scripts/lib/packages.sh"
# shellcheck source=../../scripts/lib/server.sh
source "$ROOT/scripts/lib/server.sh"

find_more_missing() {
    local peer
    have python3 || need python3
    [[ -n $SERVER_CONFIG ]] || return 0
    for peer in wal2json decoderbufs; do
        [[ -f $("$SERVER_CONFIG" --pkglibdir)/$peer.so ]] || need "postgresql-$MAJOR-$peer"
    done
}

# prepare_bench MEGABYTES: a started cluster with all plugins, in TEMP.
prepare_bench() {
    make_temp_folder "$1"
    choose_build_folder
    find_missing
    install_missing 1
    choose_server_user
    make_private_server "$TEMP/server"
    step "Building"
    build_plugin
    install_plugin
    build_null_plugin
    if ((EUID == 0)); then chown -R "$SERVER_USER": "$TEMP/server"; fi
    start_server
}

build_null_plugin() {
    cp -r "$ROOT/bench/null" "$TEMP/null"
    must "$TEMP/null.log" "the build of the null plugin" make -C "$TEMP/null" PG_CONFIG="$PRIVATE_CONFIG" clean install
}

# In the place of server_settings of scripts/lib: nothing else is to run while a plugin is measured. wal_sender_timeout
# stays as it is by default: with 0 the server looks for news from the consumer after each message as well.
server_settings() {
    printf '%s\n' "wal_level = logical" "fsync = off" "max_wal_senders = 20" "max_replication_slots = 20" \
        "shared_buffers = 512MB" "max_wal_size = 64GB" "checkpoint_timeout = 1d" "autovacuum = off" "work_mem = 64MB" \
        "max_connections = 50"
    if knows_output_plugin_libraries; then
        printf '%s\n' "output_plugin_libraries = 'pgoutput, test_decoding, bemi_decoder, bench_null, wal2json, decoderbufs'"
    fi
}

# measure PROGRAM ARGUMENT...: runs it against the cluster, with its output on the terminal.
measure() {
    local program=$1 status=0
    shift
    python3 "$program" --server-folder "$TEMP/socket" --server-bindir "$BINDIR" --server-pid "$(head -n 1 "$TEMP/data/postmaster.pid")" "$@" &
    CHILDREN=("$!")
    wait "$!" || status=$?
    CHILDREN=()
    return "$status"
}
