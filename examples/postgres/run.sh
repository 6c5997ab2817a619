#!/bin/sh
# Runs an example with the programs of this machine: PostgreSQL (and Redis, where
# the Caddyfile asks for it), two gateways, a balancer in front of them and a
# stand-in for your API behind them. Everything is in a temporary folder and is
# gone after Ctrl-C. ./run.env tells where it is, for commands.
#
#   run.sh [<folder of the example>]
#
# It needs gatehouse (or what GATEHOUSE names) and curl, and PostgreSQL's server.
set -eu
umask 077

example=$(cd "${1:-$(dirname "$0")}" && pwd)
: "${GATEHOUSE:=gatehouse}" "${PORT:=8080}" "${GATEWAY1_PORT:=8081}" "${GATEWAY2_PORT:=8082}"
: "${ADMIN1_PORT:=8083}" "${ADMIN2_PORT:=8084}" "${UPSTREAM_PORT:=8090}" "${POSTGRES_PORT:=8091}" "${REDIS_PORT:=8092}"

say() { printf '%s\n' "$*"; }

fail() {
	say "run.sh: $*" >&2
	exit 1
}

# random prints 32 bytes in hex.
random() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }

command -v "$GATEHOUSE" >/dev/null || fail "there is no $GATEHOUSE on the path: go build -o gatehouse ./cmd/gatehouse, and name it in GATEHOUSE"
command -v curl >/dev/null || fail "there is no curl on the path"

# The programs of PostgreSQL are seldom on the path.
postgres_bin() {
	for bin in "$(dirname "$(command -v initdb || echo /none/x)")" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin; do
		[ -x "$bin/initdb" ] && [ -x "$bin/pg_isready" ] && found=$bin
	done
	[ -n "${found-}" ] || fail "there is no server of PostgreSQL on this machine"
	say "$found"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/gatehouse.XXXXXX")
running=''
written=''
stop() {
	trap - EXIT
	trap '' INT TERM HUP
	# PostgreSQL waits until the gateways are gone.
	[ -z "$running" ] || kill $running 2>/dev/null || :
	wait
	rm -rf "$work" "$written"
}
trap stop EXIT
trap 'exit 0' INT TERM HUP

# start <name> <folder> <command…> has it run in that folder.
start() {
	log=$work/$1.log
	cd "$2"
	shift 2
	"$@" >"$log" 2>&1 </dev/null &
	started=$!
	running="$started $running"
	cd "$example"
}

# await <name> <pid> <command…> returns once the command succeeds.
await() {
	name=$1 pid=$2 tries=600
	shift 2
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		if [ "$tries" = 0 ] || ! kill -0 "$pid" 2>/dev/null; then
			tail -n 5 "$work/$name.log" >&2
			fail "$name does not answer"
		fi
		sleep 0.1
	done
}

# PostgreSQL refuses to run as root.
as=''
[ "$(id -u)" != 0 ] || as="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"

start_postgres() {
	bin=$(postgres_bin)
	password=$(random)
	mkdir "$work/postgres"
	if [ -n "$as" ]; then
		chmod 711 "$work"
		chown nobody "$work/postgres"
	fi
	cd "$work/postgres"
	$as "$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-locale >"$work/initdb.log" 2>&1 || fail "initdb: $(tail -n 5 "$work/initdb.log")"
	echo 'host all all 127.0.0.1/32 scram-sha-256' >data/pg_hba.conf
	printf "CREATE ROLE gatehouse LOGIN PASSWORD '%s'\nCREATE DATABASE gatehouse OWNER gatehouse\n" "$password" |
		$as "$bin/postgres" --single -D data postgres >>"$work/initdb.log" 2>&1
	start postgres "$work/postgres" $as "$bin/postgres" -D data -p "$POSTGRES_PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories=
	await postgres "$started" "$bin/pg_isready" -h 127.0.0.1 -p "$POSTGRES_PORT"
	export DATABASE_URL="postgres://gatehouse:$password@127.0.0.1:$POSTGRES_PORT/gatehouse?sslmode=disable"
}

# What Redis answers is on its disk, and it drops nothing when its memory is full.
start_redis() {
	command -v redis-server >/dev/null || fail "there is no redis-server on the path"
	password=$(random)
	mkdir "$work/redis"
	cat >"$work/redis/redis.conf" <<-END
		port $REDIS_PORT
		bind 127.0.0.1
		requirepass $password
		appendonly yes
		appendfsync always
		maxmemory-policy noeviction
	END
	start redis "$work/redis" redis-server redis.conf
	await redis "$started" grep 'Ready to accept connections' "$work/redis.log"
	export REDIS_URL="redis://:$password@127.0.0.1:$REDIS_PORT/0"
}

# start_gateway <number> <port> <port of the admin API>
start_gateway() {
	mkdir "$work/gateway$1"
	start "gateway$1" "$example" env HOME="$work/gateway$1" XDG_DATA_HOME="$work/gateway$1" XDG_CONFIG_HOME="$work/gateway$1" \
		PORT="$2" CADDY_ADMIN="localhost:$3" UPSTREAM="127.0.0.1:$UPSTREAM_PORT" "$GATEHOUSE" run
}

start_postgres
! grep -q REDIS_URL "$example/Caddyfile" || start_redis
export KEY_RING="$work/key_ring"
{ echo 'gatehouse-key-ring 1'; random; echo; } >"$KEY_RING"

start upstream "$work" env HOME="$work" "$GATEHOUSE" respond --listen "127.0.0.1:$UPSTREAM_PORT" \
	'{http.request.method} {http.request.uri} for {http.request.header.X-Auth-Username}'
start_gateway 1 "$GATEWAY1_PORT" "$ADMIN1_PORT"
gateway1=$started
start_gateway 2 "$GATEWAY2_PORT" "$ADMIN2_PORT"
gateway2=$started
await gateway1 "$gateway1" curl -fs "http://127.0.0.1:$GATEWAY1_PORT/healthz"
await gateway2 "$gateway2" curl -fs "http://127.0.0.1:$GATEWAY2_PORT/healthz"
start balancer "$example" env HOME="$work" PORT="$PORT" GATEWAYS="127.0.0.1:$GATEWAY1_PORT 127.0.0.1:$GATEWAY2_PORT" \
	"$GATEHOUSE" run --config balancer.caddyfile --adapter caddyfile
await balancer "$started" curl -s "http://127.0.0.1:$PORT/"

written=$example/run.env
cat >"$written" <<END
export DATABASE_URL='$DATABASE_URL' REDIS_URL='${REDIS_URL-}' KEY_RING='$KEY_RING'
GATEWAY1=$gateway1 GATEWAY2=$gateway2
END

say "Two gateways on localhost:$GATEWAY1_PORT and localhost:$GATEWAY2_PORT, behind localhost:$PORT. Their logs are in $work."
say
say "To try, in another terminal:"
say
say "  cd $example"
sed -n '/^\. \.\/run\.env/,/^```/p' README.md |
	sed -e '/^```/d' -e 's/^\(.\)/  \1/' \
		-e "s/localhost:8080/localhost:$PORT/g" -e "s/localhost:8081/localhost:$GATEWAY1_PORT/g" -e "s/localhost:8082/localhost:$GATEWAY2_PORT/g"
say
say "Stop with Ctrl-C."

# A gateway may end, which is what there are two for.
wait
