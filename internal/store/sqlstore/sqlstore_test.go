package sqlstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/storetest"
)

// emptyFile returns a new store of SQLite. A copy of it is made in a fraction of
// the time, which matters where there are hundreds.
func emptyFile(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	s, err := OpenSQLite(t.Context(), path, Options{})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestContract(t *testing.T) {
	empty := emptyFile(t)
	storetest.Run(t, storetest.Backend{Open: func(t *testing.T, now func() time.Time, dir string) store.Store {
		path := filepath.Join(dir, "gatehouse.db")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if err := os.WriteFile(path, empty, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := OpenSQLite(t.Context(), path, Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}})
}
