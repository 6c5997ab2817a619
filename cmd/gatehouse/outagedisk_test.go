package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// TestAFullDiskLosesNothingThatWasAnswered fills the disk below each store while
// tokens are given out and revoked.
func TestAFullDiskLosesNothingThatWasAnswered(t *testing.T) {
	t.Parallel()
	t.Run("in SQLite", func(t *testing.T) {
		t.Parallel()
		d := newDisk(t, 32)
		p := newPlace(t, "store sqlite "+filepath.Join(d.folder, "gatehouse.db"))
		p.away(outage{begin: d.fill, end: d.clear, reads: true})
	})
	t.Run("in PostgreSQL", func(t *testing.T) {
		t.Parallel()
		d := newDisk(t, 160)
		server := testserver.PostgresIn(t, d.folder, "max_wal_size=32MB", "min_wal_size=32MB", "wal_recycle=off")
		p := newPlace(t, "store postgres "+server.DSN())
		p.fills(d, func() {
			d.clear()
			server.Kill() // it may have ended by itself
			server.Start()
		})
	})
	t.Run("with sessions in Redis", func(t *testing.T) {
		t.Parallel()
		d := newDisk(t, 32)
		rows, server := testserver.Postgres(t), testserver.Redis(t, "dir "+d.folder, "appendfsync always")
		p := newPlace(t, "store postgres "+rows.DSN()+"\n\t\tsessions redis "+server.URL())
		p.fills(d, func() {
			d.clear()
			server.Kill() // it may have ended by itself
			server.Start()
		})
	})
}

// fills is away for servers that may end when their disk is full. What is
// answered until then counts; what comes after is unavailable.
func (p *place) fills(d *disk, end func()) {
	p.Helper()
	for range 10 {
		p.spare = append(p.spare, p.grant(p.key))
	}
	p.fresh = p.good[0]
	d.fill()
	stop := make(chan struct{})
	time.AfterFunc(outageLasts, func() { close(stop) })
	s := p.during(stop, p.good[1])
	end()
	mended := time.Now()
	for _, r := range append(s.good, s.fresh...) {
		if !r.passed() && !unavailable(r) {
			p.Errorf("a good credential is answered %v", r)
		}
	}
	for _, r := range s.bad {
		if r.status != 401 && !unavailable(r) {
			p.Errorf("a bad credential is answered %v", r)
		}
	}
	refused := 0
	for _, r := range append(append(s.grants, s.revokes...), s.logins...) {
		if r.status != 200 && !unavailable(r) {
			p.Errorf("a login or revocation is answered %v", r)
		}
		if unavailable(r) {
			refused++
		}
	}
	if refused == 0 {
		p.Error("nothing was refused: the disk was not full")
	}
	p.inTime(append(append(append(s.good, s.bad...), s.grants...), s.revokes...))
	p.recovers(mended)
}

// TestOutagesLeaveNothingBehind has GATEHOUSE_OUTAGES (10) outages of each
// server in turn, and counts what is left: goroutines and connections.
func TestOutagesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	rows, sessions := testserver.Postgres(t), testserver.Redis(t, "appendfsync always")
	rowsWay, sessionsWay := newWire(t, rows.Address()), newWire(t, sessions.Address)
	p := newPlace(t, "store postgres "+rows.DSNAt(rowsWay.address)+"\n\t\tsessions redis redis://"+sessionsWay.address)
	kinds := append(outagesOf("PostgreSQL", rows, rowsWay, false), outagesOf("Redis", sessions, sessionsWay, true)...)
	use := func() {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_ = p.present(p.good[0])
				_ = p.present(p.bad[0])
				_, _ = p.tryGrant(p.key)
			})
		}
		all.Wait()
	}
	quiet := func() { // what only the test itself keeps open
		p.client.CloseIdleConnections()
	}
	once := func(i int) {
		o := kinds[i%len(kinds)]
		o.begin()
		use()
		o.end()
		p.passes(p.good...)
		p.healthy()
		p.eventually("there are tokens again", func() bool {
			token, _ := p.tryGrant(p.key)
			return token != ""
		})
	}
	use()
	once(0)
	once(len(kinds) / 2)
	use()
	quiet()
	goroutines := p.goroutines()
	for i := range amount(t, "GATEHOUSE_OUTAGES", 10) {
		once(7 * i) // all of them in turn, those of both servers mixed
	}
	use()
	last := ""
	p.eventually("no more goroutines and connections than before", func() bool {
		quiet()
		now, inPostgres, inRedis := p.goroutines(), rowsWay.open(), strings.Count(sessions.Must("CLIENT", "LIST").(string), "name=gatehouse")
		if text := fmt.Sprintf("%d goroutines (%d before), %d connections to PostgreSQL, %d to Redis", now, goroutines, inPostgres, inRedis); text != last {
			t.Log(text)
			last = text
		}
		// 16 and one that listens; as many as rueidis makes for a use of 20.
		return now <= goroutines+10 && inPostgres <= 17 && inRedis <= 8
	})
}
