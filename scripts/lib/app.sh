# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with the scripts that source this
# The example application, examples/typeorm-express: built with npm, and run against the throw-away server.

readonly OLDEST_NODE=18
readonly APP=examples/typeorm-express
APP_PARTS=(package.json .npmrc clients/typeorm "$APP")

# For find_missing, where the application is asked for.
find_missing_for_app() {
    have node || need nodejs
    have npm || need npm
}

describe_node() {
    local version
    version=$(node --version)
    version=${version#v}
    ((${version%%.*} >= OLDEST_NODE)) || die "$EXIT_UNSUPPORTED" "Node.js is $version here; $OLDEST_NODE or later is needed."
    say "Node.js $version, npm $(npm --version)"
}

# What the application is built of, relative to the checkout.
app_files() {
    (cd "$ROOT" && find "${APP_PARTS[@]}" -type f ! -path '*/node_modules/*' ! -path '*/dist/*' \
        ! -path '*/clients/typeorm/build/*' ! -path '*/test/*' | LC_ALL=C sort)
}

app_fingerprint() {
    {
        app_files | (cd "$ROOT" && xargs -d '\n' sha256sum)
        node --version
    } | sha256sum
}

# Leaves an up-to-date build in $BUILD/app, like build_plugin; sets BUILT to 0 where there was one. npm's downloads
# stay in $BUILD/npm (or where the user keeps them), so that another build needs no registry as long as the packages
# are the same.
build_app() {
    local print
    print=$(app_fingerprint)
    BUILT=0
    ! is_built app "$print" || return 0
    BUILT=1
    mkdir -p "$TEMP/app" "$BUILD/npm"
    app_files | tar -C "$ROOT" -cf - -T - | tar -C "$TEMP/app" -xf - --no-same-owner
    in_app "npm install" npm install --prefer-offline --ignore-scripts --no-audit --no-fund --no-package-lock \
        --no-update-notifier --cache "${npm_config_cache:-$BUILD/npm}"
    in_app "the build of clients/typeorm" npm run build --workspace clients/typeorm --no-update-notifier
    in_app "the build of $APP" npm run build --workspace "$APP" --no-update-notifier
    keep_build app "$print"
}

# in_app WHAT COMMAND...: in the folder of the build, as whoever runs the script.
in_app() {
    local what=$1
    shift
    must "$TEMP/npm.log" "$what" env -C "$TEMP/app" "$@"
}

APP_PID='' APP_URL=''

# Starts the application on a free port, and sets APP_URL.
start_app() { # DATABASE HISTORY
    local tries log=$TEMP/app.log
    at_exit stop_app
    : >"$log" # it is read before the process below has opened it
    setsid env PGHOST="$TEMP/socket" PGUSER=postgres PGDATABASE="$1" HISTORY_DATABASE="$2" PORT=0 \
        node "$BUILD/app/$APP/dist/server.js" </dev/null >"$log" 2>&1 &
    APP_PID=$!
    for ((tries = 0; tries < 300; tries++)); do
        APP_URL=$(sed -n 's/^listening on //p' "$log")
        [[ -z $APP_URL ]] || return 0
        kill -0 "$APP_PID" 2>/dev/null || break
        sleep 0.2
    done
    failed_with "$log" "starting the application"
}

stop_app() {
    [[ -n $APP_PID ]] || return 0
    kill -TERM "$APP_PID" 2>/dev/null || true
    gone "$APP_PID" || kill -KILL "$APP_PID" 2>/dev/null || true
    wait "$APP_PID" 2>/dev/null || true
    APP_PID=''
}

# The five requests, and what the application answers.
make_requests() {
    must "$TEMP/requests.log" "the requests" node "$BUILD/app/$APP/dist/requests.js" "$APP_URL"
    sed 's/^/    /' "$TEMP/requests.log"
}
