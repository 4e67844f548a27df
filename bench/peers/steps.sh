#!/usr/bin/env bash
# Durable steps of other engines, to be set beside ours: a workflow is ten steps, one after the other, that do nothing and
# return 1 KiB each, and every result is on disk before the next step begins. 1, 8 and 64 workflows are kept going at once
# for some seconds after a second that isn't counted. One line of JSON for each peer and number of workflows:
#   {"peer":…,"version":…,"concurrency":…,"workflows":…,"seconds":…,"steps_a_second":…,"workflow_ms":{"p50":…,"p99":…}}
# and {"peer":…,"skipped":"why"} where one can't be run here.
#
#   restate  Its server on one node, as it comes: its log is synced. A service with its SDK for Node, called over HTTP. As it
#            starts, the server calls GitHub's API, telemetry off or not; it runs just the same where that can't be reached.
#   dbos     Its Rust crate, with the client in the same process, on a PostgreSQL of our own with the settings it comes with.
#   kode     The KODE SDK; nothing to install, as long as npm has no package of it.
#
# All of it runs on this machine's loopback with its data in a temporary folder (TMPDIR), so the folder's disk is what is
# synced; client, service, engine and database share the processors. Nothing of Seawall runs here. Every program is stopped
# at the end. Fails when a peer that is installed doesn't run.
# Usage: bench/peers/steps.sh [restate|dbos|kode]…     SEAWALL_BENCH_SECONDS: what a measurement takes, 5 unless told.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(cd "$here/.." && pwd)/.work
seconds=${SEAWALL_BENCH_SECONDS:-5}
concurrencies=(1 8 64)
folder=$(mktemp -d) || exit 1
running=()
database=

main() {
    trap clean EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    local peer failed=0 peers=("$@")
    ((${#peers[@]})) || peers=(restate dbos kode)
    for peer in "${peers[@]}"; do
        case $peer in
            restate | dbos)
                if "$here/../setup.sh" "$peer" >&2; then
                    "$peer" || failed=1
                    stop
                else
                    skipped "$peer" "it can't be installed here: bench/setup.sh $peer says why"
                fi
                ;;
            kode) kode ;;
            *) echo "steps: no peer is called '$peer'" >&2 && exit 2 ;;
        esac
    done
    return "$failed"
}

restate() {
    local packages=$work/restate/node_modules/@restatedev ports ingress admin node service server
    cp "$here/restate/"*.mjs "$work/restate/" || return 1
    server=$(cd "$work/restate" && node -p "require.resolve(
        '@restatedev/restate-server-' + process.platform + '-' + process.arch + '/bin/restate-server')") || return 1
    ports=$(free_ports 4) || return 1
    read -r ingress admin node service <<<"$ports"
    cat >"$folder/restate.toml" <<EOF
base-dir = "$folder/restate"
node-name = "bench"
listen-mode = "tcp"
bind-ip = "127.0.0.1"
bind-port = $node
advertised-host = "127.0.0.1"
disable-telemetry = true
log-filter = "warn"
[admin]
bind-port = $admin
disable-web-ui = true
[ingress]
bind-port = $ingress
EOF
    start "$server" --no-logo --config-file "$folder/restate.toml"
    answers "http://127.0.0.1:$admin/health" && answers "http://127.0.0.1:$ingress/restate/health" || return 1
    NODE_ENV=production RESTATE_LOGGING=ERROR start node "$work/restate/service.mjs" "$service"
    measure node "$work/restate/drive.mjs" "$(npm_version "$packages/restate-server")" "$ingress" "$admin" "$service" \
        "$seconds" "${concurrencies[@]}"
}

dbos() {
    local port version password url
    port=$(free_ports 1) && version=$(crate_version dbos) && password=$(random) || return 1
    url=postgres://postgres:$password@127.0.0.1:$port/postgres
    postgres "$port" "$password" || return 1
    measure "$work/dbos/bin/seawall-bench-dbos" "$url" "$version" "$seconds" "${concurrencies[@]}" && kept "$url"
}

# Every step of every workflow must be in the database: otherwise what was measured is no durable step.
kept() { # URL
    local told workflows steps synced programs=(/usr/lib/postgresql/*/bin)
    told=$("${programs[-1]}/psql" --no-psqlrc --tuples-only --no-align --field-separator ' ' --dbname "$1" --command "SELECT
        (SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'),
        (SELECT count(*) FROM dbos.operation_outputs WHERE octet_length(output) >= 1024),
        current_setting('fsync') || current_setting('synchronous_commit')") || return 1
    read -r workflows steps synced <<<"$told"
    if ((workflows == 0 || steps != workflows * 10)) || [[ $synced != onon ]]; then
        echo "steps: of $workflows workflows PostgreSQL has $steps steps, with fsync and synchronous_commit '$synced'" >&2
        return 1
    fi
}

kode() {
    local package=@shareai-lab/kode-sdk told
    if told=$(npm_config_cache=$folder/npm npm view "$package" version 2>&1); then
        skipped kode "npm has $package ${told##*$'\n'} by now, and nothing here runs it yet"
    elif [[ $told == *E404* ]]; then
        skipped kode "not on npm: $package answers 404"
    else
        skipped kode "npm doesn't say whether it has $package: $(tail -1 <<<"$told")"
    fi
}

# A PostgreSQL as it comes, for us alone. It does not run as root.
postgres() { # PORT PASSWORD
    local programs=(/usr/lib/postgresql/*/bin) data=$folder/postgres
    local bin=${programs[-1]}
    mkdir "$data" && (umask 077 && echo "$2" >"$folder/password") || return 1
    ((EUID)) || { chmod 711 "$folder" && chown postgres "$data" "$folder/password"; } || return 1
    as_postgres "$bin/initdb" --auth scram-sha-256 --username postgres --pwfile "$folder/password" "$data" >"$folder/log" 2>&1 ||
        { logged && return 1; }
    database=$data
    as_postgres "$bin/pg_ctl" start --wait --silent --pgdata "$data" --log "$data/log" \
        --options "-c listen_addresses=127.0.0.1 -c port=$1 -c unix_socket_directories=" >"$folder/log" 2>&1 ||
        { as_postgres cat "$data/log" >>"$folder/log" && logged && return 1; }
}

as_postgres() {
    if ((EUID)); then (cd "$folder" && "$@"); else (cd "$folder" && runuser -u postgres -- "$@"); fi
}

# Starts a program that is stopped when its peer is done. What it prints is shown if something goes wrong.
start() {
    "$@" >>"$folder/log" 2>&1 </dev/null &
    running+=("$!")
}

# Runs what measures. It is waited for as a job, so that a signal to this script ends it at once.
measure() {
    "$@" 2>>"$folder/log" </dev/null &
    running+=("$!")
    wait "$!" || { logged && return 1; }
}

# Waits for the first answer of a server, as long as what was started lives.
answers() { # URL
    local end=$((SECONDS + 60))
    until curl --silent --fail --max-time 5 --output /dev/null "$1"; do
        if ((SECONDS > end)) || ! kill -0 "${running[@]}" 2>/dev/null; then
            logged && return 1
        fi
        sleep 0.1
    done
}

logged() {
    tail -40 "$folder/log" >&2
}

stop() {
    local pid
    ((${#running[@]})) && kill "${running[@]}" 2>/dev/null
    for pid in "${running[@]}"; do
        # One that doesn't end when it is told is ended.
        (timeout 20 tail --pid "$pid" -f /dev/null || kill -KILL "$pid") 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    running=()
    if [[ -n $database ]]; then
        local programs=(/usr/lib/postgresql/*/bin)
        as_postgres "${programs[-1]}/pg_ctl" stop --wait --silent --mode fast --pgdata "$database" >&2 ||
            as_postgres "${programs[-1]}/pg_ctl" stop --wait --silent --mode immediate --pgdata "$database" >&2
        database=
    fi
    find "$folder" -mindepth 1 -delete
}

clean() {
    stop
    rm -rf "$folder"
}

skipped() { # PEER WHY
    python3 -c 'import json, sys; print(json.dumps({"peer": sys.argv[1], "skipped": sys.argv[2]}, separators=(",", ":")))' "$@"
}

# Ports that nobody listens on, all different: each is held until the last is found.
free_ports() { # HOW_MANY
    python3 - "$1" <<'EOF'
import socket, sys
probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(probe.getsockname()[1] for probe in probes))
EOF
}

npm_version() { # FOLDER
    node -p 'require(process.argv[1] + "/package.json").version' "$1"
}

crate_version() { # NAME
    sed -n "/^name = \"$1\"\$/{n;s/^version = \"\(.*\)\"\$/\1/p;q}" "$here/dbos/Cargo.lock"
}

random() {
    python3 -c 'import secrets; print(secrets.token_hex(16))'
}

main "$@"
