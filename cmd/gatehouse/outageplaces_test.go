package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // as another program that has the file open

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// remote is a server that can be away, and the way to it.
type remote interface {
	Start()
	Stop()
	Kill()
	Pause()
	Resume()
}

// outagesOf are those of every server.
func outagesOf(name string, server remote, way *wire, keys bool) []outage {
	return []outage{
		{name + " is stopped", server.Stop, server.Start, false, keys},
		{name + " is killed", server.Kill, server.Start, false, keys},
		{name + " is paused", server.Pause, server.Resume, false, keys},
		{name + " refuses connections", way.refuse, way.mend, false, keys},
		{"the network swallows what is sent to " + name, way.swallow, way.mend, false, keys},
		{name + " is slower than anybody waits", func() { way.delay(2 * time.Second) }, way.mend, false, keys},
	}
}

// postgresPlace is a place with everything in PostgreSQL.
func postgresPlace(t *testing.T, server *testserver.PostgresServer) (*place, []outage) {
	t.Helper()
	way := newWire(t, server.Address())
	run := func(statement string) func() {
		return func() {
			server.Exec(server.DSN(), statement)
			server.Exec(server.DSN(), "SELECT pg_reload_conf()")
		}
	}
	return newPlace(t, "store postgres "+server.DSNAt(way.address)), append(outagesOf("PostgreSQL", server, way, false),
		outage{
			"PostgreSQL only lets be read",
			run("ALTER SYSTEM SET default_transaction_read_only = on"),
			run("ALTER SYSTEM RESET default_transaction_read_only"), true, false,
		},
		outage{
			laterSchema,
			run("INSERT INTO schema_migrations (version, name, applied) VALUES (99, 'later', 0)"),
			run("DELETE FROM schema_migrations WHERE version = 99"), false, false,
		})
}

// laterSchema is an outage that a gateway notices by its heartbeat: until then the
// store answers as before.
const laterSchema = "another node brought the schema further"

// redisPlace is a place with its sessions in Redis.
func redisPlace(t *testing.T) (*place, []outage) {
	t.Helper()
	// Otherwise a server that is killed may lose what it answered just before.
	rows, server := testserver.Postgres(t), testserver.Redis(t, "appendfsync always")
	way := newWire(t, server.Address)
	set := func(name, value string) func() { return func() { server.Must("CONFIG", "SET", name, value) } }
	return newPlace(t, "store postgres "+rows.DSNAt(rows.Address())+"\n\t\tsessions redis redis://"+way.address),
		append(outagesOf("Redis", server, way, true),
			outage{"Redis has too few replicas to write", set("min-replicas-to-write", "1"), set("min-replicas-to-write", "0"), true, true},
			outage{"Redis is out of memory", set("maxmemory", "1"), set("maxmemory", "0"), true, true})
}

// statement carries out statements on one connection to a file, as another
// program that has it open.
func statement(t *testing.T, file string) (do func(string)) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return func(text string) {
		t.Helper()
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
}

// sqlitePlace is a place with everything in a file.
func sqlitePlace(t *testing.T) (*place, []outage) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gatehouse.db")
	do := statement(t, file)
	run := func(text string) func() { return func() { do(text) } }
	move := func(from, to string) func() {
		return func() {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := newPlace(t, "store sqlite "+file)
	lose := func() {
		move(file, file+".away")()
		p.eventually("it is noticed", func() bool { // within a tenth of a second
			status, _ := p.health()
			return status != "ok"
		})
	}
	return p, []outage{
		{"another program holds the lock for writing", run("BEGIN IMMEDIATE"), run("ROLLBACK"), true, false},
		{"the file is somewhere else", lose, move(file+".away", file), false, false},
	}
}

// TestOutagesLetNobodyInAndCallNobodyBad has each store away in every way that
// it can be.
func TestOutagesLetNobodyInAndCallNobodyBad(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name string
		at   func(t *testing.T) (*place, []outage)
	}{
		{"in SQLite", sqlitePlace},
		{"in PostgreSQL", func(t *testing.T) (*place, []outage) { return postgresPlace(t, testserver.Postgres(t)) }},
		{"with sessions in Redis", redisPlace},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			p, all := one.at(t)
			p.suffer(all)
		})
	}
}

// disk is a small one of its own.
type disk struct {
	t      *testing.T
	folder string
}

func newDisk(t *testing.T, megabytes int) *disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "disk") // every user may pass through
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the server is another user
		t.Fatal(err)
	}
	err = syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0777", megabytes))
	needs(t, err != nil, "the right to mount a small disk")
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return &disk{t, dir}
}

// fill leaves no room.
func (d *disk) fill() {
	d.t.Helper()
	f, err := os.Create(filepath.Join(d.folder, "everything else"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// clear makes room.
func (d *disk) clear() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.folder, "everything else")); err != nil {
		d.t.Fatal(err)
	}
}
