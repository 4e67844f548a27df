#!/usr/bin/env bash
# Installs the peers that the benches run beside Seawall: everything below bench/.work, but for packages of the system.
# Run again it does nothing until a pin changes. What can't be installed is said and left out: the bench then says so in
# its table and fails. Usage: bench/setup.sh [gateway|guard|restate|dbos]…
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$here/.work
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 npm_config_audit=false npm_config_fund=false

install_system() {
    local missing=()
    [[ -x /usr/sbin/nginx ]] || missing+=(nginx-light)
    [[ -x /usr/sbin/haproxy ]] || missing+=(haproxy)
    ((${#missing[@]})) || return 0
    apt-get -o DPkg::Lock::Timeout=300 update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
            "${missing[@]}" >/dev/null
}

# The list is complete and exact, so nothing is resolved and nothing is compiled.
install_litellm() {
    rm -rf "$work/venv"
    python3 -m venv "$work/venv" &&
        "$work/venv/bin/pip" install --quiet --no-deps --only-binary :all: --requirement "$here/peers/litellm.txt"
}

# The override of @hono/node-server is needed: with the version that Portkey asks for every stream is a 500.
install_portkey() {
    rm -rf "$work/portkey"
    mkdir -p "$work/portkey"
    cp "$here/peers/portkey/package.json" "$here/peers/portkey/package-lock.json" "$work/portkey/"
    (cd "$work/portkey" && npm ci --ignore-scripts --loglevel=error)
}

# What builds our own package; the package itself is built anew for each bench.
install_guard() {
    rm -rf "$work/guard"
    python3 -m venv "$work/guard" &&
        "$work/guard/bin/pip" install --quiet --no-deps --only-binary :all: --requirement "$here/peers/guard.txt"
}

install_failcore() {
    rm -rf "$work/failcore"
    python3 -m venv "$work/failcore" &&
        "$work/failcore/bin/pip" install --quiet --no-deps --only-binary :all: --requirement "$here/peers/failcore.txt"
}

# The server is a program inside a package of npm: no script of the package is needed, nor run.
# It is large, so that npm's copy of it is not kept.
install_restate() {
    rm -rf "$work/restate"
    mkdir -p "$work/restate"
    cp "$here/peers/restate/package.json" "$here/peers/restate/package-lock.json" "$work/restate/"
    (cd "$work/restate" && npm_config_cache=$work/restate/.npm npm ci --ignore-scripts --loglevel=error && rm -rf .npm)
}

# Compiled once, behind everything else that runs; what it was compiled from is not kept.
install_dbos() {
    rm -rf "$work/dbos/bin"
    CARGO_HOME=$work/cargo nice -n 19 cargo build --quiet --release --locked --target-dir "$work/dbos/target" \
        --manifest-path "$here/peers/dbos/Cargo.toml" &&
        install -D -t "$work/dbos/bin" "$work/dbos/target/release/seawall-bench-dbos" &&
        rm -rf "$work/cargo" "$work/dbos/target"
}

# Only the programs are wanted: a server of Debian's own is not started.
install_postgres() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return 0
    local policy=/usr/sbin/policy-rc.d ours=
    [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && ours=$policy; } || return 1
    apt-get -o DPkg::Lock::Timeout=300 update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
            postgresql >/dev/null
    local done=$?
    [[ -z $ours ]] || rm -f "$ours"
    return "$done"
}

# Runs a part once for each state of its pins.
part() { # NAME PINS…
    local stamp=$work/.stamps/$1 want
    want=$({ cat "${@:2}"; python3 --version; uname -m; } | sha256sum)
    [[ -f $stamp && $(<"$stamp") == "$want" ]] && return 0
    mkdir -p "$work/.stamps"
    rm -f "$stamp"
    if "install_$1"; then
        echo "$want" >"$stamp"
        echo "setup: installed $1"
    else
        echo "setup: $1 can't be installed" >&2
        failed=1
    fi
}

failed=0
benches=("$@")
((${#benches[@]})) || benches=(gateway guard restate dbos)
for bench in "${benches[@]}"; do
    case $bench in
        gateway)
            install_system || failed=1
            part litellm "$here/peers/litellm.txt"
            part portkey "$here/peers/portkey/package-lock.json"
            ;;
        guard)
            part guard "$here/peers/guard.txt"
            part failcore "$here/peers/failcore.txt"
            ;;
        restate) part restate "$here/peers/restate/package-lock.json" ;;
        dbos)
            install_postgres || failed=1
            part dbos "$here/peers/dbos/Cargo.toml" "$here/peers/dbos/Cargo.lock" "$here/peers/dbos/src/main.rs"
            ;;
        *)
            echo "setup: no bench is called '$bench'" >&2
            exit 2
            ;;
    esac
done
exit "$failed"
