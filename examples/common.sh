# What the scripts of this folder share. Sourced, not run.
#
# SEAWALL_BIN names the program; else it is looked for in PATH and in this checkout. Everything is written into a folder of
# its own, which goes with the script, as do the processes that it started.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/seawall-example.XXXXXX")

find_seawall() {
  local candidate
  for candidate in "${SEAWALL_BIN:-}" "$(command -v seawall || true)" "$here"/../../target/{release,ci,debug}/seawall; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then echo "$candidate"; return; fi
  done
  echo "seawall is not built: run \`make build\`, or name it with SEAWALL_BIN" >&2
  return 1
}
seawall=$(find_seawall)

# What has ended is left out: its number may be somebody else's by now.
clean_up() {
  local pid running
  running=$(jobs -pr)
  for pid in $running; do kill "$pid" 2>/dev/null || true; done
  for pid in $running; do wait "$pid" 2>/dev/null || true; done
  if declare -F stop_database >/dev/null; then stop_database; fi
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# start NAME ARGUMENTS…: starts the program with a data directory of its own, waits until it accepts connections, and
# leaves its address in $url and its process in $pid. Port 0 is a free one; the simulated provider needs no key.
start() {
  local name=$1; shift
  # What an earlier one under this name has said is no sign of this one.
  rm -f "$work/$name.out"
  "$seawall" "$@" --listen 127.0.0.1:0 --upstream sim: --templates "$here/templates" --data-dir "$work/$name" \
    >"$work/$name.out" 2>"$work/$name.log" &
  pid=$!
  until grep -qs '^seawall ready' "$work/$name.out"; do
    kill -0 "$pid" 2>/dev/null || { cat "$work/$name.log" >&2; fail "$name did not start"; }
    sleep 0.05
  done
  url=$(sed -n 's/.*listen=\([^ ]*\).*/\1/p' "$work/$name.out")
  echo "$name: $url (process $pid)"
}

# ask METHOD URL [JSON]: one request; what is refused ends the script.
ask() {
  curl --silent --show-error --fail-with-body --max-time 60 -X "$1" "$2" -H 'content-type: application/json' ${3:+-d "$3"}
}

# field NAME: a field of the JSON that comes in, at any depth of dots.
field() {
  python3 -c 'import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[int(name)] if isinstance(value, list) else value.get(name)
print(value if isinstance(value, str) else json.dumps(value))' "$1"
}

# eventually WORDS COMMAND…: until the command succeeds, half a minute at most.
eventually() {
  local what=$1 end=$((SECONDS + 30)); shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "$what"
    sleep 0.1
  done
}
