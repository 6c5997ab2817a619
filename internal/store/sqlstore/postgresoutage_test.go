package sqlstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

const (
	// prompt is how long a call may take while the server is out of reach. It
	// is bounded by 250 ms for a read and 750 ms for a write; the rest is for
	// machines that do other things meanwhile.
	prompt = 3 * time.Second
	// recovery is how long a store may take to work again.
	recovery = 30 * time.Second
)

func openServer(t *testing.T, dsn string, o Options) *database {
	t.Helper()
	d, err := openPostgres(t.Context(), dsn, postgresFlavour(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.shut(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(recovery)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within %v: %s", recovery, what)
		case <-tick.C:
		}
	}
}

func down(err error) bool { return err != nil && auth.CodeOf(err) == auth.Unavailable }

type outageCall struct {
	name   string
	writes bool
	do     func(context.Context) error
}

// outageCalls are calls of each kind: look-ups, lists, searches, writes of one
// and of several statements, and the feed. n makes new rows.
func outageCalls(d *database, n int) []outageCall {
	s, old := testSession(n), testSession(0)
	return []outageCall{
		{"Session", false, func(c context.Context) error {
			_, err := d.Session(c, "default", store.SessionRef{ID: old.ID})
			return err
		}},
		{"MembershipsOf", false, func(c context.Context) error {
			_, err := d.MembershipsOf(c, "default", "ana")
			return err
		}},
		{"FindSessions", false, func(c context.Context) error {
			_, _, err := d.FindSessions(c, "default", store.SessionQuery{})
			return err
		}},
		{"Since", false, func(c context.Context) error {
			_, err := d.Since(c, 0, 10)
			return err
		}},
		{"InsertSession", true, func(c context.Context) error { return d.InsertSession(c, s) }},
		{"InsertSession of two", true, func(c context.Context) error {
			return d.InsertSession(c, testSession(n+1), testSession(n+2))
		}},
		{"RevokeSessions", true, func(c context.Context) error {
			_, err := d.RevokeSessions(c, "default", store.SessionMatch{Subject: "nobody"})
			return err
		}},
		{"Record", true, func(c context.Context) error { return d.Record(c, store.Change{Kind: store.AllChanged}) }},
	}
}

// unreachable fails the test unless calls are unavailable, in time.
func unreachable(t *testing.T, calls []outageCall) {
	t.Helper()
	for _, c := range calls {
		start := time.Now()
		err := c.do(t.Context())
		if took := time.Since(start); took > prompt {
			t.Errorf("%s took %v", c.name, took)
		}
		if !down(err) {
			t.Errorf("%s: got %v, want unavailable", c.name, err)
		}
	}
}

// works fails the test unless the store works again soon, with what it had.
func works(t *testing.T, d *database, n int) {
	t.Helper()
	for _, c := range outageCalls(d, n) {
		eventually(t, c.name+" works again", func() bool {
			err := c.do(t.Context())
			return err == nil || c.writes && auth.CodeOf(err) == auth.Conflict // it was carried out before
		})
	}
	has(t, d, 0)
	eventually(t, "the feed works again", func() bool { return d.Wait(t.Context(), 0) == nil })
}

func TestAPostgresOutOfReachIsUnavailableInTimeAndNoLongerThanThat(t *testing.T) {
	server := testserver.Postgres(t)
	way := newProxy(t, server.Address())
	d := openServer(t, server.DSNAt(way.address), Options{})
	insert(t, d, 0)
	for i, c := range []struct {
		name       string
		begin, end func()
		only       string // "" all calls, else those that write
	}{
		{"stopped", server.Stop, server.Start, ""},
		{"killed", server.Kill, server.Start, ""},
		{"paused", server.Pause, server.Resume, ""},
		{"refusing connections", way.refuse, way.pass, ""},
		{"behind a network that swallows packets", way.swallow, way.pass, ""},
		{"slower than anybody waits", func() { way.slow(2 * time.Second) }, way.pass, ""},
		{"read only", func() {
			server.Exec(server.DSN(), "ALTER SYSTEM SET default_transaction_read_only = on")
			server.Exec(server.DSN(), "SELECT pg_reload_conf()")
		}, func() {
			server.Exec(server.DSN(), "ALTER SYSTEM RESET default_transaction_read_only")
			server.Exec(server.DSN(), "SELECT pg_reload_conf()")
		}, "writes"},
		{"of a schema that is newer", func() {
			server.Exec(server.DSN(), "INSERT INTO schema_migrations (version, name, applied) VALUES (99, 'x', 0)")
		}, func() {
			server.Exec(server.DSN(), "DELETE FROM schema_migrations WHERE version = 99")
		}, ""},
	} {
		t.Run("a server that is "+c.name, func(t *testing.T) {
			works(t, d, 1000*i+100)
			c.begin()
			calls := outageCalls(d, 1000*i+200)
			if c.only == "writes" {
				calls = calls[4:]
			}
			eventually(t, "a write is unavailable", func() bool {
				return down(d.Record(t.Context(), store.Change{Kind: store.AllChanged})) &&
					(c.only != "" || d.Wait(t.Context(), 1<<62) != nil)
			})
			for range 3 {
				unreachable(t, calls)
			}
			c.end()
			works(t, d, 1000*i+300)
		})
	}
}

// TestTheFirstCallsOfAnOutageAreBoundedToo is of those that find connections
// that seem to work.
func TestTheFirstCallsOfAnOutageAreBoundedToo(t *testing.T) {
	server := testserver.Postgres(t)
	d := openServer(t, server.DSN(), Options{})
	insert(t, d, 0)
	works(t, d, 10)
	server.Pause()
	calls := outageCalls(d, 20)
	errs := make(chan error, 8*len(calls))
	start := time.Now()
	for range 8 {
		for _, c := range calls {
			go func() { errs <- c.do(context.Background()) }()
		}
	}
	for range cap(errs) {
		if err := <-errs; !down(err) {
			t.Errorf("got %v, want unavailable", err)
		}
	}
	if took := time.Since(start); took > prompt {
		t.Errorf("took %v", took)
	}
	server.Resume()
	works(t, d, 30)
}

func TestOutagesLeaveNothingBehind(t *testing.T) {
	server := testserver.Postgres(t)
	way := newProxy(t, server.Address())
	d := openServer(t, server.DSNAt(way.address), Options{MaxConns: 6})
	insert(t, d, 0)
	works(t, d, 10)
	goroutines := runtime.NumGoroutine()
	for i := range 100 {
		way.refuse()
		eventually(t, "the outage is noticed", func() bool {
			return down(d.Record(t.Context(), store.Change{Kind: store.AllChanged}))
		})
		way.pass()
		eventually(t, "the store works again", func() bool { return d.Record(t.Context(), store.Change{Kind: store.AllChanged}) == nil })
		if i%10 == 0 {
			works(t, d, 1000+10*i)
		}
	}
	works(t, d, 9000)
	eventually(t, "no more connections than there may be", func() bool { return way.open() <= 6+1 })
	eventually(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= goroutines+20 })
}

func TestAFullDiskBelowPostgresLosesNothingThatWasAnswered(t *testing.T) {
	dir, err := os.MkdirTemp("", "disk") // every user may pass through
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m,mode=0777"); err != nil {
		t.Skipf("NOT TESTED, for want of the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	server := testserver.PostgresIn(t, dir, "max_wal_size=32MB", "min_wal_size=32MB", "wal_recycle=off")
	d := openServer(t, server.DSN(), Options{})
	big := func(n int) store.Session {
		s := testSession(n)
		s.Sealed = make([]byte, 256<<10)
		for i := range s.Sealed { // which does not shrink
			s.Sealed[i] = byte(i * (n + 7) * (i >> 8) >> 3)
		}
		return s
	}
	last := 0
	for ; last < 1000; last++ {
		if err := d.InsertSession(t.Context(), big(last)); err != nil {
			wantCode(t, err, auth.Unavailable)
			break
		}
	}
	if last == 0 || last == 1000 {
		t.Fatalf("%d rows fit", last)
	}
	for range 3 {
		wantCode(t, d.InsertSession(t.Context(), big(last)), auth.Unavailable)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=400m,mode=0777"); err != nil {
		t.Fatal(err)
	}
	server.Kill() // it may have ended by itself
	server.Start()
	works(t, d, 5000)
	for n := range last {
		has(t, d, n)
	}
}

func TestErrorsOfPostgresShowNoSecret(t *testing.T) {
	server := testserver.Postgres(t)
	const secret = "hunter2-in-the-dsn"
	at := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	host, port, _ := strings.Cut(server.Address(), ":")
	for name, dsn := range map[string]string{
		"a port where nobody listens":   at("postgres://gatehouse:%s@127.0.0.1:1/gatehouse", secret),
		"a database that is not there":  at("postgres://gatehouse:%s@%s/absent?sslmode=disable", secret, server.Address()),
		"a user that is not there":      at("postgres://stranger:%s@%s/gatehouse?sslmode=disable", secret, server.Address()),
		"a URL that is none":            at("postgres://gatehouse:%s%%zz@[::/gatehouse", secret),
		"a parameter that is none":      at("host=%s port=%s password=%s pool_max_conns=many", host, port, secret),
		"a keyword without a value":     at("password=%s host", secret),
		"a socket that is not there":    at("postgres://gatehouse:%s@/gatehouse?host=%s", secret, filepath.Join(os.TempDir(), "absent")),
		"a TLS that the server has not": at("postgres://gatehouse:%s@%s/gatehouse?sslmode=require", secret, server.Address()),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenPostgres(t.Context(), dsn, Options{})
			if err == nil {
				t.Fatal("got no error")
			}
			if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, "\n") {
				t.Errorf("got %q, want one line without the password", text)
			}
		})
	}
	d := openServer(t, server.DSN(), Options{})
	insert(t, d, 1)
	err := d.InsertSession(t.Context(), testSession(1))
	wantCode(t, err, auth.Conflict)
	for _, leak := range []string{"INSERT", "VALUES", "session 1", "token 1"} {
		if strings.Contains(err.Error(), leak) {
			t.Errorf("%q shows %q", err, leak)
		}
	}
}

func TestAStoreIsClosedInTimeWhileItsServerDoesNotAnswer(t *testing.T) {
	server := testserver.Postgres(t)
	d, err := openPostgres(t.Context(), server.DSN(), postgresFlavour(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	insert(t, d, 0)
	works(t, d, 10)
	if err := d.TouchSession(t.Context(), "default", testSession(0).ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	start := time.Now()
	if err := d.shut(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 2*prompt {
		t.Errorf("took %v", took)
	}
	server.Resume()
}
