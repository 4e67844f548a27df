#!/usr/bin/env bash
# Everything that `make test` runs: the Rust tests, the fuzz targets for a moment, real SDKs, models and agent CLIs.
# `tests/all.sh rust` runs the Rust tests alone. Each runner prints its own closing line; the last line counts all.
set -uo pipefail
cd "$(dirname "$0")/.."
part=${1:-all}
failed=0
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

step() { # NAME COMMAND…: runs it, keeps what it prints, and goes on when it fails
  local name=$1; shift
  echo "== $name"
  local begun=$SECONDS
  "$@" 2>&1 | tee "$logs/$name"
  local code=${PIPESTATUS[0]}
  [ "$code" -eq 0 ] || { failed=1; echo "== $name FAILED with exit code $code"; }
  echo "== $name took $((SECONDS - begun))s"
}

# Properties draw the same cases every time, so that a commit is judged by what is in it; `make properties` draws others.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-20260101}

bash tests/packages.sh || exit 1
step build cargo build --profile ci --locked --bin seawall
step rust cargo nextest run --workspace --cargo-profile ci --profile ci --locked --no-fail-fast
step doc cargo test --workspace --profile ci --locked --doc --quiet
if [ "$part" = all ]; then
  step fuzz bash fuzz/run.sh 10
  step setup bash tests/setup.sh
  step clients env SEAWALL_BIN="$PWD/target/ci/seawall" bash tests/run.sh
fi

# nextest: "N passed", "N failed"; the others print the plain line "N passed, N failed".
counted=$(cat "$logs"/* | sed 's/\x1b\[[0-9;]*m//g' | python3 -c '
import re, sys
passed = failed = 0
for line in sys.stdin:
    if "Summary [" in line:
        passed += sum(map(int, re.findall(r"(\d+) passed", line)))
        failed += sum(map(int, re.findall(r"(\d+) (?:failed|timed out)", line)))
    elif match := re.fullmatch(r"(?:\w+: )?(\d+) passed, (\d+) failed.*", line.strip()):
        passed += int(match[1]); failed += int(match[2])
print(f"{passed} passed, {failed} failed")')
echo "$counted"
case "$counted" in *" 0 failed") ;; *) failed=1 ;; esac
exit "$failed"
