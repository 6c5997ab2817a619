package sqlstore

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Backend{Open: func(t *testing.T, now func() time.Time, dir string) store.Store {
		s, err := OpenSQLite(t.Context(), filepath.Join(dir, "gatehouse.db"), Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}})
}
