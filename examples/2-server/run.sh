#!/usr/bin/env bash
# Mode 2: one server with SQLite, asked with curl and from Python.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

say "One server with everything in it"
start server up
agents=$url/api/agents
ask GET "$url/ready" >/dev/null
ask GET "$url/api/health/store" | field healthy

say "Get or create: the same request twice is one agent"
new='{"id":"friend","template":"assistant"}'
ask POST "$agents" "$new" | field id
ask POST "$agents" "$new" | field id

say "Talk, and wait for the answer"
ask POST "$agents/friend/message" '{"message":"sim:text Good to see you."}' | field text

say "The same from Python, word by word"
python3 "$here/client.py" "$url" friend "sim:text This comes in pieces, as it is said." | tee "$work/said"
grep -q 'in pieces, as it is said' "$work/said" || fail "the stream has the answer"

say "A call that a person has to allow, over a restart of the server"
asked='{"content":"sim:tools [{\"name\":\"fs_write\",\"arguments\":{\"path\":\"a.txt\",\"content\":\"b\"}}]\nsim:turn 1 sim:text It is written."}'
ask POST "$agents/friend/messages?wait=true" "$asked" | field status
kill "$pid" && wait "$pid"
start server up
agents=$url/api/agents
approval=$(ask GET "$url/api/approvals?state=pending" | field approvals.0.id)
ask POST "$agents/friend/decide" "{\"approval_id\":\"$approval\",\"decision\":\"allow\"}" >/dev/null
is_ready() { [ "$(ask GET "$agents/friend" | field state)" = ready ]; }
eventually "the agent goes on" is_ready
cat "$work/server/agents/friend/work/a.txt"; echo

say "What happened"
ask GET "$agents/friend/messages" | field messages | tr '{' '\n' | grep -c '"role"'
ask GET "$url/metrics" | grep '^kode_agents_total'
[ "$(ask GET "$agents/friend/consistency" | field consistent)" = true ] || fail "the log and its rows fit"

say "done"
