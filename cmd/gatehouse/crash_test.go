package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// stormers is how many clients a storm has.
const stormers = 8

// The longest that a storm goes on before the kill, and what is left of it while
// only the servers are gone.
const (
	longestStorm = 800 * time.Millisecond
	afterwards   = 150 * time.Millisecond
)

// server is what keeps data beside the gateway.
type server interface {
	Kill()
	Start()
}

// crash is a gateway that is killed again and again, alone or with its servers.
type crash struct {
	*gateway
	servers []server
	// idle returns once nothing is under way that a killed gateway began.
	idle func()
	// sound looks at the data while nothing runs; nil for nothing to look at.
	sound func()
	// tell hears of what must not be.
	tell func(...any)

	clients []*stormer
	chance  *rand.Rand
	end     func()
	found   findings
}

// crashRounds is how often a test kills: GATEHOUSE_CRASH_ROUNDS says how often
// instead, e.g. 200.
func crashRounds(t *testing.T, usual int) int { return amount(t, "GATEHOUSE_CRASH_ROUNDS", usual) }

// crashSeed decides when and whom a test kills, and what clients do meanwhile:
// GATEHOUSE_CRASH_SEED repeats a run, as far as processes can be made to.
func crashSeed(t *testing.T) uint64 { t.Helper(); return seedFrom(t, "GATEHOUSE_CRASH_SEED") }

// seedFrom is what a variable of the environment says, or else any.
func seedFrom(t *testing.T, variable string) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(variable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d", variable, seed)
	return seed
}

// newCrash starts a gateway with a store, makes its accounts and its clients.
func newCrash(t *testing.T, store string, env ...string) *crash {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "Caddyfile"), fmt.Appendf(nil, stormSite, store), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &crash{gateway: newGateway(t, folder), idle: func() {}, tell: t.Error}
	c.env = append(c.env, env...)
	made := makeCredentials(c.gateway, stormers)
	seed := crashSeed(t)
	c.chance = rand.New(rand.NewPCG(seed, 0))
	for n := range stormers {
		c.clients = append(c.clients, &stormer{
			caller: newCaller(c.gateway), credentials: made, user: stormUser(n),
			chance: rand.New(rand.NewPCG(seed, uint64(n)+1)),
		})
	}
	c.launch()
	return c
}

func (c *crash) launch() { c.end = c.startUntil(os.Kill, "gatehouse", "run") }

// storm has all clients go on until stop is closed, and returns what waits for
// them.
func (c *crash) storm(stop <-chan struct{}) (wait func()) {
	var all sync.WaitGroup
	for _, s := range c.clients {
		all.Go(func() { s.run(stop) })
	}
	return all.Wait
}

// round kills within a storm, starts again and looks at what is left.
func (c *crash) round(gateway, servers bool) {
	stop := make(chan struct{})
	wait := c.storm(stop)
	<-time.After(time.Duration(c.chance.Int64N(int64(longestStorm))))
	// Both orders, and one right after the other.
	first := c.chance.IntN(2) == 0
	if gateway && first {
		c.end()
	}
	if servers {
		for _, one := range c.servers {
			one.Kill()
		}
	}
	if gateway && !first {
		c.end()
	}
	if !gateway {
		<-time.After(afterwards)
	}
	close(stop)
	wait()
	if gateway && !servers {
		c.idle()
	}
	if c.sound != nil {
		c.sound()
	}
	if servers {
		for _, one := range c.servers {
			one.Start()
		}
	}
	if gateway {
		c.launch()
	}
	c.look(false)
}

// look checks every client's ledger.
func (c *crash) look(whole bool) {
	c.t.Helper()
	each := make([]findings, len(c.clients))
	var all sync.WaitGroup
	for i, s := range c.clients {
		all.Go(func() { each[i] = s.check(whole) })
	}
	all.Wait()
	for i, s := range c.clients {
		c.found.looked += each[i].looked
		c.found.lost += each[i].lost
		c.found.revived += each[i].revived
		c.found.silent += each[i].silent
		for _, text := range s.wrong {
			c.tell(text)
		}
		s.wrong = nil
	}
}

// result tells what a test has shown.
func (c *crash) result(rounds int) string {
	issued, ended := 0, 0
	for _, s := range c.clients {
		issued, ended = issued+s.issued, ended+s.ended
	}
	return fmt.Sprintf("%d kills; %d answered tokens, %d lost; %d answered ends, %d revived; %d looks after restarts, %d without a verdict",
		rounds, issued, c.found.lost, ended, c.found.revived, c.found.looked, c.found.silent)
}

// survive runs the rounds of a test, and looks at everything at the end.
func (c *crash) survive(rounds int) {
	c.t.Helper()
	done := 0
	for ; done < rounds && !c.t.Failed(); done++ {
		// The gateway, its servers, all of them: in turn.
		c.round(len(c.servers) == 0 || done%3 != 1, done%3 != 0)
		if done%10 == 9 {
			c.t.Log(c.result(done + 1))
		}
	}
	c.look(true)
	c.t.Log(c.result(done))
	if c.t.Failed() {
		c.t.Logf("the gateway:\n%s", c.output())
	}
}

// TestKillsLoseNothingOnSQLite kills the gateway at random moments of a storm of
// logins, revocations and refreshes; what was answered must hold afterwards.
func TestKillsLoseNothingOnSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	c := newCrash(t, "store sqlite "+path)
	c.sound = func() { sqliteIsSound(t, path) }
	c.survive(crashRounds(t, 4))
}

// sqliteIsSound looks at a copy of a database that nobody has open, so that it is
// the gateway that has to repair it.
func sqliteIsSound(t *testing.T, path string) {
	t.Helper()
	folder, err := os.MkdirTemp(t.TempDir(), "copy")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, "db"+suffix), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(folder, "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var said string
	if err := db.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&said); err != nil || said != "ok" {
		t.Errorf("the database after a kill: %s, %v", said, err)
	}
	var astray int
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pragma_foreign_key_check`).Scan(&astray); err != nil || astray != 0 {
		t.Errorf("%d rows point nowhere after a kill, %v", astray, err)
	}
}

// TestKillsLoseNothingOnPostgreSQL kills the gateway, the server, and both.
func TestKillsLoseNothingOnPostgreSQL(t *testing.T) {
	db := testserver.Postgres(t)
	c := newCrash(t, "store postgres {env.GATEHOUSE_POSTGRES}", "GATEHOUSE_POSTGRES="+db.DSN())
	c.servers = []server{db}
	c.idle = func() { until(t, func() bool { return connections(t, db) == 0 }) }
	c.survive(crashRounds(t, 3))
}

// TestKillsLoseNothingOnRedis has the sessions in Redis, which syncs whatever it
// answers, and kills the gateway, both servers, and all of them.
func TestKillsLoseNothingOnRedis(t *testing.T) {
	c := newRedisCrash(t, "appendfsync always")
	c.survive(crashRounds(t, 3))
}

// TestKillsOfRedisThatSyncsEverySecond tells what is left where Redis answers
// before it syncs: documented, and so told and not held against it.
func TestKillsOfRedisThatSyncsEverySecond(t *testing.T) {
	c := newRedisCrash(t, "appendfsync everysec")
	c.tell = t.Log
	rounds := crashRounds(t, 1)
	for range rounds {
		c.round(false, true)
	}
	c.look(true)
	t.Log(c.result(rounds))
}

func newRedisCrash(t *testing.T, settings ...string) *crash {
	t.Helper()
	cache := testserver.Redis(t, settings...)
	db := testserver.Postgres(t)
	c := newCrash(t, "store postgres {env.GATEHOUSE_POSTGRES}\n\t\tsessions redis "+cache.URL(), "GATEHOUSE_POSTGRES="+db.DSN())
	c.servers = []server{db, cache}
	c.idle = func() {
		until(t, func() bool {
			clients := cache.Must("CLIENT", "LIST").(string)
			return connections(t, db) == 0 && !strings.Contains(clients, "addr="+"127.0.0.1:")
		})
	}
	return c
}

// connections counts those of a gateway to its database.
func connections(t *testing.T, db *testserver.PostgresServer) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	const others = `SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()`
	if err := conn.QueryRow(ctx, others).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// until polls a condition, and fails when it does not come about.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.After(startTime)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatal("what the test waits for does not come about")
		}
	}
}
