package caddymodule

import (
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func TestWholeBrokenStarts(t *testing.T) {
	w := start(t, "login management")
	_, key := w.ann()
	handle, goroutines := w.runtime(), steadyGoroutines(w)
	writeBrokenFiles(t, w.dir)
	before := filesIn(t, w.dir)
	for name, broken := range map[string]struct {
		gatehouse string
		want      string // what stands behind the names of modules that Caddy lists
	}{
		"the store's folder cannot be made": {
			"store sqlite DIR/file/gatehouse.db",
			"gatehouse app module: start: the folder of the store DIR/file/gatehouse.db cannot be made: mkdir DIR/file: not a directory",
		},
		"the store is a folder": {
			"store sqlite DIR/folder",
			"gatehouse app module: start: the store DIR/folder cannot be opened: it is no regular file",
		},
		"the store is no database": {
			"store sqlite DIR/file",
			"gatehouse app module: start: the file DIR/file is not a database: name another, or move it away",
		},
		"the store is the database of another program": {
			"store sqlite DIR/other.db",
			"gatehouse app module: start: the store DIR/other.db cannot be opened: it holds the tables of another program: name another",
		},
		"the key ring is missing": {
			"key_ring DIR/nothing",
			"provision gatehouse: key_ring: stat DIR/nothing: no such file or directory",
		},
		"the key ring can be read by everyone": {
			"key_ring DIR/open.keys",
			"provision gatehouse: key_ring: DIR/open.keys can be read by everyone (mode 0644): chmod 600 it",
		},
		"the key ring holds no keys": {
			"key_ring DIR/file",
			`provision gatehouse: DIR/file:1: the first line of a key file is "gatehouse-key-ring 1"`,
		},
		"the store's path holds an unknown placeholder": {
			"store sqlite DIR/{nobody.knows.this}.db",
			"provision gatehouse: store path DIR/{nobody.knows.this}.db: unrecognized placeholder {nobody.knows.this}",
		},
		"the store's path holds an empty placeholder": {
			"store sqlite DIR/{env.GATEHOUSE_TEST_NOTHING}/x.db",
			"provision gatehouse: store path DIR/{env.GATEHOUSE_TEST_NOTHING}/x.db: evaluated placeholder {env.GATEHOUSE_TEST_NOTHING} is empty",
		},
	} {
		w.run("if "+name+" one sentence says so and the old configuration goes on", func(t *testing.T) {
			for range 2 {
				err := caddy.Load(w.config(setting{gatehouse: "\n\t\t" + broken.gatehouse, sites: guardedSite("login management")}), true)
				if err == nil {
					t.Fatal("it was loaded")
				}
				if got := strings.ReplaceAll(err.Error(), w.dir, "DIR"); !strings.HasSuffix(got, ": "+broken.want) {
					t.Errorf("got  %s\nwant %s", got, broken.want)
				}
			}
			w.find()
			if w.runtime() != handle {
				t.Error("the runtime is another")
			}
			w.passed(w.get("/things", "x-api-key: "+key))
			held := 0
			runtimes.Range(func(any, any) bool { held++; return true })
			if held != 1 {
				t.Errorf("%d stores are held", held)
			}
			if after := filesIn(t, w.dir); !slices.Equal(before, after) {
				t.Errorf("files before: %q\nafter: %q", before, after)
			}
		})
	}
	eventually(t, 20*time.Second, "as few goroutines as before", func() bool { return steadyGoroutines(w) <= goroutines+2 })
}

func writeBrokenFiles(t *testing.T, dir string) {
	t.Helper()
	for name, text := range map[string]string{
		"file": "This is a file with some lines.\n" + strings.Repeat("None of them is a key or a row of a table.\n", 300),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "open.keys"), token.NewRing(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "open.keys"), 0o644); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", filepath.Join(dir, "other.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.ExecContext(t.Context(), "CREATE TABLE theirs (id INTEGER PRIMARY KEY)")
	if err := errors.Join(err, other.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// filesIn lists everything below a folder.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, strings.TrimPrefix(path, dir))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWholeValidationLeavesNoTrace(t *testing.T) {
	w := prepare(t)
	s := setting{log: "\n\toutput discard", sites: guardedSite("login management\nlogin timed_login")}
	for name, gatehouse := range map[string]string{
		"a store of its own": "store sqlite DIR/new/folder/gatehouse.db",
		"the default store":  "store sqlite",
	} {
		w.run("with "+name, func(t *testing.T) {
			s.gatehouse = "\n\t\t" + gatehouse
			before := filesIn(t, w.dir)
			for range 2 {
				var cfg caddy.Config
				if err := json.Unmarshal(w.config(s), &cfg); err != nil {
					t.Fatal(err)
				}
				if err := caddy.Validate(&cfg); err != nil {
					t.Fatal(err)
				}
			}
			if after := filesIn(t, w.dir); !slices.Equal(before, after) {
				t.Errorf("validating made %q", after)
			}
			if !poolIsEmpty() {
				t.Error("validating holds on to a store")
			}
		})
	}
	w.run("and what cannot start for its files is told", func(t *testing.T) {
		s.gatehouse = "\n\t\tkey_ring DIR/nothing"
		var cfg caddy.Config
		if err := json.Unmarshal(w.config(s), &cfg); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&cfg); err == nil || !strings.Contains(err.Error(), "nothing: no such file") {
			t.Error(err)
		}
	})
}

func TestWholeStartMakesPrivateFiles(t *testing.T) {
	w := startSetting(t, setting{gatehouse: "\n\t\tstore sqlite DIR/deep/folder/gatehouse.db", sites: guardedSite("login management")})
	w.ann()
	for _, path := range []string{
		"deep/folder/gatehouse.db", "deep/folder/gatehouse.db-wal", "deep/folder/gatehouse.db-shm", "caddy/gatehouse/key_ring",
	} {
		info, err := os.Stat(filepath.Join(w.dir, path))
		if err != nil {
			t.Error(err)
			continue
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", path, mode)
		}
	}
}
