#!/usr/bin/env bash
# Turns of durable agents, one line of JSON for each store and number of agents.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for kind in sqlite json postgres; do
    case $kind in
        sqlite) store=sqlite:$work/agents.db ;;
        json) store=json:$work/agents ;;
        postgres) store=${SEAWALL_BENCH_POSTGRES:-} ;;
    esac
    [ -n "$store" ] || continue
    for plan in "1 200" "50 40" "1000 3"; do
        read -r agents turns <<<"$plan"
        echo "$kind $(target/release/agents --store "$store" --agents "$agents" --turns "$turns")"
    done
done
