# shellcheck shell=bash
# What the findings share: a temporary folder that goes with the script, packages of npm in exact versions, a PostgreSQL
# server of their own that logs each statement. The exit codes are in README.md.
# shellcheck source=outcome.sh
source "${BASH_SOURCE[0]%/*}/outcome.sh"

clean_up() {
    if [[ -f $FOLDER/data/postmaster.pid ]]; then
        "${RUN_AS[@]}" "$BIN/pg_ctl" -D "$FOLDER/data" -m immediate stop >/dev/null || true
    fi
    rm -rf "$FOLDER"
}

RUN_AS=() BIN=
FOLDER=$(mktemp -d)
trap clean_up EXIT
cd "$FOLDER"

# install_packages NAME@VERSION...
install_packages() {
    if ! command -v node npm >/dev/null; then unavailable 'Node.js and npm are not installed'; fi
    echo '{ "private": true }' >package.json
    npm install --save-exact --legacy-peer-deps --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error "$@" >npm.log 2>&1 ||
        unavailable "npm install: $(tail -n 3 npm.log)"
}

# Sets DATABASE_URL, and PGPORT on 127.0.0.1, for clients, and LOG for `statements`.
start_server() {
    export PGPORT=$((20000 + RANDOM % 10000))
    command -v pg_config >/dev/null || unavailable 'PostgreSQL is not installed'
    BIN=$(pg_config --bindir)
    [[ -x $BIN/initdb ]] || unavailable "no PostgreSQL server in $BIN"
    if ((EUID == 0)); then
        RUN_AS=(runuser -u postgres --)
        chown postgres "$FOLDER"
    fi
    {
        "${RUN_AS[@]}" "$BIN/initdb" -D "$FOLDER/data" -U postgres -A trust -E UTF8 --locale=C
        "${RUN_AS[@]}" "$BIN/pg_ctl" -D "$FOLDER/data" -w -l "$FOLDER/log" -o "-c listen_addresses=127.0.0.1 -c port=$PGPORT -k $FOLDER -c log_statement=all -c log_line_prefix=" start
    } >server.log 2>&1 || unavailable "the server does not start: $(tail -n 3 server.log)"
    export DATABASE_URL="postgresql://postgres@127.0.0.1:$PGPORT/postgres"
    LOG=$FOLDER/log
    psql -Xq "$DATABASE_URL" -c 'CREATE TABLE item (id serial PRIMARY KEY, note text)'
}

# The statements that the server got and that match a pattern.
statements() { sed -nE 's/^LOG:  (statement|execute [^:]*): //p' "$LOG" | grep -E "$1"; }
