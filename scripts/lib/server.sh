# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with the scripts that source this
# A server of our own: a copy of the installed one to which the plugin can be added, and throw-away clusters.
#
# Nothing is installed into the system's server. PostgreSQL's programs find their other files beside
# themselves, so a copy of the programs with links to the rest is a whole server; `make install` with its
# pg_config puts the extension there, and CREATE EXTENSION finds it.

# make_private_server FOLDER: sets PRIVATE_CONFIG (its pg_config) and BINDIR.
make_private_server() {
    local root=$1 kind folder
    BINDIR=$root$("$SERVER_CONFIG" --bindir)
    mkdir -p "$BINDIR"
    cp -L "$("$SERVER_CONFIG" --bindir)"/* "$BINDIR/"
    for kind in pkglibdir sharedir pkgincludedir includedir-server; do
        folder=$("$SERVER_CONFIG" "--$kind")
        [[ ! -d $folder || -d $root$folder ]] || link_tree "$folder" "$root$folder"
    done
    [[ -z $UNPACKED ]] || link_tree "$UNPACKED/usr" "$root/usr"
    # What an earlier installation of ours left in the system must not be mistaken for this one.
    find "$root" -name 'bemi_*' -delete
    PRIVATE_CONFIG=$BINDIR/pg_config
    has_headers "$PRIVATE_CONFIG" || die 1 "could not make a private copy of the server of $SERVER_CONFIG in $root."
}

# The system's files everybody may read; others perhaps only their owner, and the server runs as somebody else.
link_tree() {
    local how=(-rsf)
    [[ $1 == /usr/* ]] || how=(-rf)
    mkdir -p "$2"
    cp "${how[@]}" -- "$1/." "$2/"
}

# --- the plugin --------------------------------------------------------------------------------

# The files that a build is made of, relative to the checkout.
source_files() {
    (cd "$ROOT" && find Makefile ./*.control ./*.cpp src include extension -type f \
        ! -name '*.o' ! -name '*.bc' ! -name '.*' | LC_ALL=C sort)
}

# Changes with the sources, the server and the compiler.
fingerprint() {
    {
        source_files | (cd "$ROOT" && xargs -d '\n' sha256sum)
        "$PRIVATE_CONFIG" --version
        g++ --version
        uname -m
    } | sha256sum
}

# is_built NAME FINGERPRINT: whether $BUILD/NAME was built of that.
is_built() { [[ -f $BUILD/$1/.fingerprint && $(<"$BUILD/$1/.fingerprint") == "$2" ]]; }

# keep_build NAME FINGERPRINT: moves $TEMP/NAME to $BUILD/NAME, whole, unless a simultaneous run has put the same there
# meanwhile: that one is using it.
keep_build() {
    local lock
    exec {lock}<"$BUILD"
    flock "$lock"
    if ! is_built "$1" "$2"; then
        rm -rf "${BUILD:?}/$1"
        mv "$TEMP/$1" "$BUILD/$1"
        printf '%s\n' "$2" >"$BUILD/$1/.fingerprint"
    fi
    exec {lock}<&-
    give_build_folder_back
}

# Leaves an up-to-date build in $BUILD/plugin; sets BUILT to 0 where there was one. It is built elsewhere and
# moved there when it is whole, so that neither an interrupted nor a simultaneous run leaves a half one.
build_plugin() {
    local print log=$TEMP/build.log
    print=$(fingerprint)
    BUILT=0
    ! is_built plugin "$print" || return 0
    BUILT=1
    mkdir -p "$TEMP/plugin"
    source_files | tar -C "$ROOT" -cf - -T - | tar -C "$TEMP/plugin" -xf - --no-same-owner
    must "$log" "the build" make -j"$(nproc)" -C "$TEMP/plugin" PG_CONFIG="$PRIVATE_CONFIG"
    keep_build plugin "$print"
}

install_plugin() {
    must "$TEMP/install.log" "the installation into the private server" \
        make -C "$BUILD/plugin" PG_CONFIG="$PRIVATE_CONFIG" install
}

# --- who runs it -------------------------------------------------------------------------------

# Sets RUN_AS to what comes before a command of the server, which refuses to run as root, and gives TEMP to
# that user. setpriv becomes the command, so a signal to its process id reaches the server itself.
choose_server_user() {
    RUN_AS=(env HOME="$TEMP")
    SERVER_USER=$(id -un)
    ((EUID == 0)) || return 0
    SERVER_USER=postgres
    id "$SERVER_USER" >/dev/null 2>&1 || SERVER_USER=nobody
    RUN_AS=(setpriv --reuid="$SERVER_USER" --regid="$(id -g "$SERVER_USER")" --init-groups
        env HOME="$TEMP" USER="$SERVER_USER" LOGNAME="$SERVER_USER")
    chown "$SERVER_USER": "$TEMP"
}

# Newer minor releases load only the output plugins that this setting names; older ones don't know it, and
# would not start with it.
knows_output_plugin_libraries() {
    "${RUN_AS[@]}" "$BINDIR/postgres" --describe-config | grep '^output_plugin_libraries' >/dev/null
}

# What every server of ours has in its postgresql.conf.
server_settings() {
    printf '%s\n' "wal_level = logical" "fsync = off" "max_wal_senders = 10" "max_replication_slots = 10"
    if knows_output_plugin_libraries; then
        printf '%s\n' "output_plugin_libraries = 'pgoutput, test_decoding, bemi_decoder'"
    fi
}

# --- a cluster ---------------------------------------------------------------------------------

SERVER_PID=''

# Starts a cluster in TEMP which only a socket in TEMP leads to.
start_server() {
    must "$TEMP/initdb.log" "initdb" "${RUN_AS[@]}" "$BINDIR/initdb" -D "$TEMP/data" -U postgres \
        --auth=trust --no-sync --no-locale --encoding=UTF8
    mkdir -p "$TEMP/socket"
    ((EUID != 0)) || chown "$SERVER_USER": "$TEMP/socket"
    {
        server_settings
        printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$TEMP/socket'" "port = 5432"
    } >>"$TEMP/data/postgresql.conf"
    at_exit stop_server
    setsid "${RUN_AS[@]}" "$BINDIR/postgres" -D "$TEMP/data" </dev/null >"$TEMP/server.log" 2>&1 &
    SERVER_PID=$!
    wait_for_server
}

wait_for_server() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        ! "$BINDIR/pg_isready" -q -h "$TEMP/socket" || return 0
        kill -0 "$SERVER_PID" 2>/dev/null || break
        sleep 0.2
    done
    failed_with "$TEMP/server.log" "starting the server"
}

# TERM ends the commands that are still on their way to become the server, which ignore INT; INT makes the
# server itself drop its clients.
stop_server() {
    [[ -n $SERVER_PID ]] || return 0
    kill -TERM "$SERVER_PID" 2>/dev/null || true
    kill -INT "$SERVER_PID" 2>/dev/null || true
    gone "$SERVER_PID" || kill -QUIT "$SERVER_PID" || true
    gone "$SERVER_PID" || kill -KILL "$SERVER_PID" || true
    wait "$SERVER_PID" 2>/dev/null || true
    SERVER_PID=''
}

# sql ARG...: psql in that cluster, as its superuser.
sql() {
    "${RUN_AS[@]}" "$BINDIR/psql" -X -q -v ON_ERROR_STOP=1 -h "$TEMP/socket" -U postgres "$@"
}
