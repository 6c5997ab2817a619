package sqlstore

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/storetest"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// databases gives each folder of a test a database of one server. One that a
// test has left is emptied and given to another: to make hundreds takes minutes.
type databases struct {
	server *testserver.PostgresServer
	mu     sync.Mutex
	made   int
	dsns   map[string]string
	free   []string
}

// of returns the database of a folder, which is free again after the test.
func (d *databases) of(t *testing.T, dir string) string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if dsn, ok := d.dsns[dir]; ok {
		return dsn
	}
	dsn := d.next()
	d.dsns[dir] = dsn
	t.Cleanup(func() { // after the store was closed
		d.server.Exec(dsn, emptied())
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.dsns, dir)
		d.free = append(d.free, dsn)
	})
	return dsn
}

func (d *databases) next() string {
	if n := len(d.free); n > 0 {
		dsn := d.free[n-1]
		d.free = d.free[:n-1]
		return dsn
	}
	d.made++
	return d.server.Database(fmt.Sprint("d", d.made))
}

// emptied returns statements that make a database what it was when it was new.
func emptied() string {
	var b strings.Builder
	for _, table := range slices.Backward(Tables()) {
		b.WriteString("DELETE FROM " + table + "; ")
	}
	b.WriteString("DELETE FROM changes; UPDATE changes_trimmed SET seq = 0; ")
	for _, column := range []string{"'keys', 'id'", "'changes', 'seq'"} {
		b.WriteString("SELECT setval(pg_get_serial_sequence(" + column + "), 1, false); ")
	}
	return b.String()
}

func TestPostgresContract(t *testing.T) {
	d := &databases{server: testserver.Postgres(t, "fsync=off"), dsns: map[string]string{}}
	storetest.Run(t, storetest.Backend{Shared: true, Open: func(t *testing.T, now func() time.Time, dir string) store.Store {
		s, err := OpenPostgres(t.Context(), d.of(t, dir), Options{Now: now, MaxConns: 8, Wait: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}})
}
