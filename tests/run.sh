#!/usr/bin/env bash
# Runs the end-to-end tests with real clients, and closes with how many passed and failed over all.
# Usage: tests/run.sh [sdk|litellm|comply|node|node24|model|guard|agents|corpora|mcp]…, or crewai, which is no part of all.
# The binary under test: $SEAWALL_BIN, else target/ci/seawall, else target/debug/seawall.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$(dirname "$here")/.tools
parts=("$@")
((${#parts[@]})) || parts=(sdk litellm comply node node24 model guard agents corpora mcp)
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

with_pytest() { # ENVIRONMENT TESTS…
    (cd "$here" && "$tools/$1/bin/python" -m pytest -q -ra "${@:2}")
}

with_node() { # NODE MAJORS
    (cd "$here" && CLIENT_MAJORS=$2 "$1" --test --test-reporter=spec --test-timeout=60000 node/*.test.mjs)
}

# The detectors behind a line protocol; unless $SEAWALL_JUDGE names one.
build_judge() {
    [[ -n ${SEAWALL_JUDGE:-} ]] ||
        (cd "$here/.." && cargo build --quiet --profile ci --locked -p seawall-detect --example judge)
}

# The package is built from the checkout as it is, from its wheel: what is tested is what is installed.
install_guard() { # ENVIRONMENT
    # pip looks for the build's programs where the shell does.
    PATH="$tools/guard/bin:$PATH" SEAWALL_PYTHON_PROFILE=${SEAWALL_PYTHON_PROFILE:-ci} \
        "$tools/$1/bin/python" -m pip install --quiet --no-deps \
        --no-build-isolation --force-reinstall --disable-pip-version-check "$here/../python"
}

run_part() {
    case $1 in
        sdk) with_pytest venv sdk --ignore=sdk/test_litellm.py --ignore=sdk/test_comply.py ;;
        litellm) with_pytest venv-litellm sdk/test_litellm.py sdk/test_openai_{chat,endpoints,responses}.py ;;
        comply) with_pytest venv sdk/test_comply.py ;;
        node) with_node node older ;;
        node24) with_node "$tools/node24/bin/node" newer ;;
        model) with_pytest venv model ;;
        guard) install_guard guard && with_pytest guard guard ;;
        crewai) install_guard crewai && with_pytest crewai crewai ;;
        agents) with_pytest venv agents ;;
        mcp) with_pytest mcp mcp_proxy ;;
        corpora) build_judge && with_pytest corpora corpora ;;
        *)
            echo "run: no part is called '$1'" >&2
            return 2
            ;;
    esac
}

# What pytest ("3 passed, 1 failed, 1 error in 2s") and node ("ℹ pass 3") say in the end of how many there were.
counted() { # PATTERN
    local number
    number=$(grep -E '^. [a-z]+ [0-9]+$|^[0-9]+ .* in [0-9.]+s' "$log" |
        grep -oE "\b[0-9]+ ($1)\b|\b($1) [0-9]+\$" | tail -n 1 | grep -oE '[0-9]+')
    echo "${number:-0}"
}

for part in "${parts[@]}"; do
    started=$SECONDS
    echo "== $part"
    run_part "$part" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    bad=$(($(counted 'failed|fail') + $(counted 'errors?')))
    # A part that ended badly without naming a failure has failed all the same.
    ((status != 0 && bad == 0)) && bad=1
    passed=$((passed + $(counted 'passed|pass'))) failed=$((failed + bad)) skipped=$((skipped + $(counted skipped)))
    echo "== $part: $((SECONDS - started)) s"
done

echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
