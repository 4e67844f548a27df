#!/usr/bin/env bash
# Mode 3: two stateless servers, three workers, one PostgreSQL; a worker is killed in the middle.
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# As somebody who may run a database: root may not.
as_owner() {
  if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}
start_database() {
  local port
  for programs in /usr/lib/postgresql/*/bin "$(dirname "$(command -v initdb || echo /none/initdb)")"; do
    [ ! -x "$programs/initdb" ] || break
  done
  [ -x "$programs/initdb" ] || fail "there is no PostgreSQL: install one, or name a database with DATABASE_URL"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  pg=$work/pg
  mkdir "$pg"
  chmod 755 "$work"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$pg"; fi
  as_owner "$programs/initdb" -D "$pg/data" -A trust -U postgres -E UTF8 --locale=C >/dev/null
  as_owner "$programs/pg_ctl" -D "$pg/data" -l "$pg/log" -w \
    -o "-c listen_addresses=127.0.0.1 -p $port -k $pg" start >/dev/null || fail "PostgreSQL does not start"
  stop_database() { as_owner "$programs/pg_ctl" -D "$pg/data" -m immediate -w stop >/dev/null || true; }
  DATABASE_URL=postgres://postgres@127.0.0.1:$port/postgres
}

say "PostgreSQL"
[ -n "${DATABASE_URL:-}" ] || start_database
export SEAWALL__STORE=$DATABASE_URL
echo "${DATABASE_URL##*@}"

say "Two stateless servers, three workers"
fronts=() workers=() pids=()
for number in 1 2; do start "server-$number" serve --no-workers --lease 2s; fronts+=("$url"); done
for number in 1 2 3; do start "worker-$number" worker --lease 2s --max-agents 12; workers+=("$url"); pids+=("$pid"); done

say "Thirty agents get work, through both servers in turn"
count=30
for ((number = 0; number < count; number++)); do
  front=${fronts[$((number % 2))]}
  ask POST "$front/api/agents" "{\"id\":\"a$number\",\"template\":\"assistant\"}" >/dev/null
  ask POST "${fronts[$(((number + 1) % 2))]}/api/agents/a$number/messages" \
    "{\"content\":\"sim:delay 1500\nsim:text I am number $number.\"}" >/dev/null
done

held() { ask GET "$1/metrics" | sed -n 's/^seawall_agent_held \([0-9]*\)$/\1/p'; }
works() { [ "$(held "${workers[0]}")" -gt 0 ]; }
eventually "the first worker has agents" works
for number in 0 1 2; do echo "worker-$((number + 1)) holds $(held "${workers[$number]}")"; done

say "The first worker is killed; its agents go on at the others"
kill -9 "${pids[0]}"
wait "${pids[0]}" 2>/dev/null || true
answered() {
  local text
  text=$(ask GET "${fronts[1]}/api/agents/a$1/messages")
  [ "$(grep -o "\"I am number $1\\.\"" <<<"$text" | wc -l)" = 1 ] && [[ $text != *'"queued"'* ]]
}
for ((number = 0; number < count; number++)); do
  eventually "agent a$number answers" answered "$number"
  [ "$(ask GET "${fronts[0]}/api/agents/a$number" | field message_count)" = 2 ] || fail "a$number answered twice"
done
taken() { ask GET "$1/metrics" | sed -n 's/^seawall_agent_takeovers_total \([0-9]*\)$/\1/p'; }
echo "$count agents have answered once each; $(($(taken "${workers[1]}") + $(taken "${workers[2]}"))) were taken over"

say "Everything fits together"
"$seawall" store check "$DATABASE_URL"

say "done"
