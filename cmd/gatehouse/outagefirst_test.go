package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// blow is a way for a store to be gone, all at once.
type blow struct {
	name       string
	begin, end func()
	// some says that what one of two stores knows is answered, or all where it
	// finds its way over the connections that there are.
	some bool
}

func blowsOf(name string, server remote, way *wire, some bool) []blow {
	return []blow{
		{name + " is stopped", server.Stop, server.Start, some},
		{name + " is paused", server.Pause, server.Resume, some},
		{"the network swallows what is sent to " + name, way.swallow, way.mend, some},
		{"the connections to " + name + " end and new ones are swallowed", way.swallowNew, way.mend, some},
		{"only new connections to " + name + " are swallowed", way.deafen, way.mend, true},
	}
}

// What the answers 503 to the first requests of an outage may take here. The
// promises are 300 ms for the median and each of a guarded request, and a second
// for any; the rest is for a machine that does many other things.
const (
	firstMedian = 600 * time.Millisecond
	firstLast   = 3 * time.Second
)

// strike has the store gone and makes all calls at once.
func (m *patron) strike(b blow) {
	m.t.Helper()
	calls := m.calls()
	m.eventually("it is ok", func() bool { status, _ := m.health(); return status == "ok" })
	b.begin()
	replies := make([]reply, len(calls))
	var all sync.WaitGroup
	for i, c := range calls {
		all.Go(func() { replies[i] = m.make(c) })
	}
	all.Wait()
	b.end()
	mended := time.Now()
	var guarded, others []time.Duration
	for i, c := range calls {
		r := replies[i]
		m.t.Logf("%4d ms %d %s", r.took().Milliseconds(), r.status, c.name)
		switch {
		case r.err != nil || r.took() > firstLast:
			m.t.Errorf("%s is answered %v", c.name, r)
		case r.status == http.StatusServiceUnavailable:
			if r.retry == "" || !strings.Contains(r.body, shapes[c.shape]) {
				m.t.Errorf("%s is answered 503 with Retry-After %q in another shape than its own: %s", c.name, r.retry, r.body)
			}
		case !b.some, c.bad && passedAs(c, r), r.status >= http.StatusInternalServerError:
			m.t.Errorf("%s is answered %v", c.name, r)
		}
		if c.shape == "guard" {
			guarded = append(guarded, r.took())
		} else {
			others = append(others, r.took())
		}
	}
	slices.Sort(guarded)
	if median := guarded[len(guarded)/2]; median > firstMedian {
		m.t.Errorf("half of the first guarded requests take %v and more", median)
	}
	m.t.Logf("guarded: %s; others: %s", figures(guarded), figures(others))
	m.healthy()
	m.insist("a login", func() (string, reply) { return m.tryLogin(patronName, m.password) })
	m.t.Logf("as before after %v", time.Since(mended).Round(time.Millisecond))
}

// passedAs reports whether an answer is that to a good credential.
func passedAs(c needy, r reply) bool {
	if c.shape == "guard" {
		return r.passed() && r.body != "for "
	}
	return textIn(r.body, "token") != ""
}

// locked is the file of SQLite's locks, all of which somebody else takes and
// keeps, as where a process was stopped in the middle of its work: whoever reads
// then tries again and again for ten seconds.
type locked struct {
	t    *testing.T
	name string
	file *os.File
}

func (l *locked) take() {
	f, err := os.OpenFile(l.name, os.O_RDWR, 0)
	if err == nil {
		err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLKW, &syscall.Flock_t{Type: syscall.F_WRLCK, Start: 120, Len: 8})
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.file = f
}

func (l *locked) leave() { _ = l.file.Close() }

// TestTheFirstRequestsOfAnOutageAreAnsweredInTime has each store gone in the
// middle of nothing: nobody knows of it yet who is asked then.
func TestTheFirstRequestsOfAnOutageAreAnsweredInTime(t *testing.T) {
	t.Parallel()
	each := func(t *testing.T, m *patron, all []blow) {
		for _, b := range all {
			t.Run(b.name, func(t *testing.T) {
				m.t = t
				m.strike(b)
			})
		}
		m.t = t
	}
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "gatehouse.db")
		locks := &locked{t: t, name: file + "-shm"}
		each(t, newPatron(t, "store sqlite "+file), []blow{{"somebody else keeps all locks of SQLite", locks.take, locks.leave, false}})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server := testserver.Postgres(t)
		way := newWire(t, server.Address())
		each(t, newPatron(t, "store postgres "+server.DSNAt(way.address)), blowsOf("PostgreSQL", server, way, false))
	})
	t.Run("PostgreSQL and Redis", func(t *testing.T) {
		t.Parallel()
		rows, sessions := testserver.Postgres(t), testserver.Redis(t, "appendfsync always")
		rowsWay, sessionsWay := newWire(t, rows.Address()), newWire(t, sessions.Address)
		m := newPatron(t, "store postgres "+rows.DSNAt(rowsWay.address)+"\n\t\tsessions redis redis://"+sessionsWay.address)
		each(t, m, append(blowsOf("Redis", sessions, sessionsWay, true)[1:4], blowsOf("PostgreSQL", rows, rowsWay, true)[1]))
	})
}
