#!/usr/bin/env bash
# Mode 1: one person on one machine. Nothing is left behind; see README.md for how to keep it.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

export SEAWALL_HOME=$work/home
mkdir -p "$SEAWALL_HOME"
cp -r "$here/templates" "$SEAWALL_HOME/"
config=$here/seawall.yaml
chat() { "$seawall" agent chat main --template assistant --upstream sim: --config "$config"; }

say "A first conversation; the agent lives in $SEAWALL_HOME/seawall.db"
chat <<<"sim:text Hello, I am your assistant."

say "Another process, killed in the middle of a tool"
notes=$SEAWALL_HOME/agents/main/work/notes.txt
mkfifo "$work/typed"
"$seawall" agent chat main --upstream sim: --config "$config" <"$work/typed" >"$work/chat.out" 2>&1 &
pid=$!
exec 3>"$work/typed"
printf '%s\n' 'sim:tools [{"name":"bash_run","arguments":{"cmd":"echo once >> notes.txt; sleep 600"}}]' >&3
eventually "the tool runs: $(cat "$work/chat.out")" test -s "$notes"
kill -9 "$pid"
exec 3>&-
wait "$pid" 2>/dev/null || true

say "The next one goes on where it was; the tool is not run a second time"
chat <<<"sim:text Here I am again."
[ "$(cat "$notes")" = once ] || fail "the tool ran twice"
"$seawall" agent list --config "$config"

say "The same agent, from SQLite to a folder that an editor reads"
"$seawall" store copy "sqlite:$SEAWALL_HOME/seawall.db" "json:$work/store"
"$seawall" store check "json:$work/store"
export SEAWALL__STORE=json:$work/store
chat <<<"sim:text And here, from a folder of JSON."
"$seawall" agent list --config "$config"
grep -q "from a folder of JSON" "$work/store/agents/main/log.jsonl" || fail "the folder has the conversation"
head -c 160 "$work/store/agents/main/log.jsonl"; echo " …"

say "done"
