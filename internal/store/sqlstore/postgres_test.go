package sqlstore

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/storetest"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// databases makes a database of a server for each folder of a test, once.
type databases struct {
	server *testserver.PostgresServer
	mu     sync.Mutex
	dsns   map[string]string
}

func (d *databases) of(dir string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if dsn, ok := d.dsns[dir]; ok {
		return dsn
	}
	sum := sha256.Sum256([]byte(dir))
	dsn := d.server.Database("d" + hex.EncodeToString(sum[:8]))
	d.dsns[dir] = dsn
	return dsn
}

func TestPostgresContract(t *testing.T) {
	d := &databases{server: testserver.Postgres(t, "fsync=off"), dsns: map[string]string{}}
	storetest.Run(t, storetest.Backend{Shared: true, Open: func(t *testing.T, now func() time.Time, dir string) store.Store {
		s, err := OpenPostgres(t.Context(), d.of(dir), Options{Now: now, MaxConns: 8, Wait: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}})
}
