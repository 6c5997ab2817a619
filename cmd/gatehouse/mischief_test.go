package main

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// mischiefTime is how long each thing is done to the server.
const mischiefTime = 1500 * time.Millisecond

// others do things to PostgreSQL beside the gateways.
type others struct {
	*testing.T
	*testserver.PostgresServer
}

// do runs statements as the superuser.
func (o others) do(statements string) { o.Helper(); o.Exec(o.DSN(), statements) }

// crowd takes all connections that are left.
func (o others) crowd() (leave func()) {
	o.Helper()
	var all []*pgx.Conn
	for {
		conn, err := pgx.Connect(o.Context(), o.DSN())
		if err != nil {
			break
		}
		all = append(all, conn)
	}
	return func() {
		for _, conn := range all {
			_ = conn.Close(context.Background())
		}
	}
}

const terminateAll = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gatehouse'`

// TestWhatOthersDoToPostgreSQLUnderLoad has the connections of three gateways
// ended, tables locked and rewritten, the server started anew and its connections
// used up: nobody is let in, and nobody is called bad.
func TestWhatOthersDoToPostgreSQLUnderLoad(t *testing.T) {
	t.Parallel()
	rows := testserver.Postgres(t, "max_connections=80")
	o := others{t, rows}
	nodes, key := gateways(t, 3, "store postgres "+rows.DSNAt(rows.Address()))
	l := &loaded{t, &history{bound: failoverStaleness, counts: map[string]int{}}, nodes, key, rows}
	end := l.load(4)
	defer end()
	for _, one := range []struct {
		name string
		do   func()
	}{
		{"connections are ended all the time", func() {
			stop := make(chan struct{})
			time.AfterFunc(mischiefTime, func() { close(stop) })
			each(stop, func() { o.do(terminateAll) })
		}},
		{"sessions are locked", func() { o.do("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); COMMIT") }},
		{"changes are locked", func() { o.do("BEGIN; LOCK TABLE changes IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5); COMMIT") }},
		{"the tables are rewritten", func() { o.do("VACUUM FULL sessions"); o.do("VACUUM FULL changes") }},
		{"the server is started anew", func() { rows.Stop(); rows.Start() }},
		{"no connection is left", func() {
			o.do(terminateAll)
			leave := o.crowd()
			<-time.After(mischiefTime)
			leave()
		}},
	} {
		before := l.tally()
		start := time.Now()
		one.do()
		took := time.Since(start).Round(time.Millisecond)
		l.Logf("%s for %v: as before %v later; %v", one.name, took, l.again(), since(before, l.tally()))
	}
	end()
	l.judged()
}
