#!/usr/bin/env bash
# Mode 4: a function that keeps nothing, in front of agents that run elsewhere. It is ended between every two requests.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

say "The machine on which agents run"
start agents up
export AGENTS_URL=$url

# call METHOD PATH [JSON]: one request to a function that was started for it and ends with it.
call() {
  local front
  python3 "$here/front.py" >"$work/front.out" 2>"$work/front.log" &
  front=$!
  eventually "the function starts: $(cat "$work/front.log")" grep -q '^front ready' "$work/front.out"
  ask "$1" "$(sed -n 's/.*listen=//p' "$work/front.out")$2" "${3:-}" || fail "$1 $2"
  kill "$front"
  wait "$front" 2>/dev/null || true
  : >"$work/front.out"
}

say "POST gives a task at once; sent twice, it is one"
task='{"agent":"visitor","message":"sim:delay 1500\nsim:text The answer is 42.","key":"request-1"}'
call POST /task "$task" | tee "$work/task"; echo
call POST /task "$task" >/dev/null
status_url=$(field status_url <"$work/task")
stream_url=$(field stream_url <"$work/task")

say "/status, asked of another function each time"
call GET "$status_url" | tee "$work/status"; echo
is_done() { call GET "$status_url" >"$work/status"; [ "$(field status <"$work/status")" = done ]; }
eventually "the task is done" is_done
cat "$work/status"; echo
[ "$(field text <"$work/status")" = "The answer is 42." ] || fail "the status has the answer"

[ "$(ask GET "$AGENTS_URL/api/agents/visitor" | field message_count)" = 2 ] || fail "the message was there twice"

say "/stream, from the message on, up to its end"
call GET "$stream_url" | tee "$work/stream"
grep -q '^event: done' "$work/stream" || fail "the stream has an end"
grep -q 'The answer is 42' "$work/stream" || fail "the stream has the answer"

say "done"
