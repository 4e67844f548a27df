#!/usr/bin/env bash
# Installs the peers that the benches run beside Seawall: everything below bench/.work, but for packages of the system.
# Run again it does nothing until a pin changes. What can't be installed is said and left out: the bench then says so in
# its table and fails. Usage: bench/setup.sh [gateway|guard]…
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

# Runs a part once for each state of its pins.
part() { # NAME PINS
    local stamp=$work/.stamps/$1 want
    want=$({ cat "$2"; python3 --version; uname -m; } | sha256sum)
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
((${#benches[@]})) || benches=(gateway guard)
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
        *)
            echo "setup: no bench is called '$bench'" >&2
            exit 2
            ;;
    esac
done
exit "$failed"
