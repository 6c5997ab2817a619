package caddymodule

import (
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// TestO08ABrokenStoreOrKeyRingRefusesTheStart in one sentence, and what was
// running runs on.
func TestO08ABrokenStoreOrKeyRingRefusesTheStart(t *testing.T) {
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
		"the key ring can be written by everyone": {
			"key_ring DIR/writable.keys",
			"provision gatehouse: key_ring: DIR/writable.keys can be read by everyone (mode 0602): chmod 600 it",
		},
		"the key ring is empty": {
			"key_ring DIR/empty.keys",
			`provision gatehouse: DIR/empty.keys: a key file begins with the line "gatehouse-key-ring 1"`,
		},
		"the key ring holds a short key": {
			"key_ring DIR/short.keys",
			"provision gatehouse: DIR/short.keys:2: a key is 64 hex digits, this line has 7 characters",
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
	for name, text := range map[string]string{"writable.keys": string(token.NewRing()), "empty.keys": "", "short.keys": "gatehouse-key-ring 1\nk1 AAAA\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "writable.keys"), 0o602); err != nil {
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

// TestO08FilesAreForTheirOwnerOnly, and one that was open to all is closed.
func TestO08FilesAreForTheirOwnerOnly(t *testing.T) {
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
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(w.dir, "deep/folder/gatehouse.db")
	if err := os.Chmod(store, 0o666); err != nil {
		t.Fatal(err)
	}
	w.load(setting{gatehouse: "\n\t\tstore sqlite DIR/deep/folder/gatehouse.db", sites: guardedSite("login management")})
	info, err := os.Stat(store)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("a store that everybody could read has mode %v (%v)", info.Mode(), err)
	}
}

// TestO08NoWeakSecretIsTaken from an operator: a key is as hard to guess as one
// that is made here, a password has a length, and a hash is one.
func TestO08NoWeakSecretIsTaken(t *testing.T) {
	w := start(t, "login management\naccept api_key")
	w.ann()
	a, ctx := w.admin("default"), t.Context()
	for _, secret := range []string{"x", "secret", "changeme", "123456789012345", "aaaaaaaaaaaaaaaa", strings.Repeat("ab", 20)} {
		if _, _, err := a.CreateKey(ctx, admin.NewKey{Account: annName, Secret: auth.NewSecret(secret)}); err == nil {
			t.Errorf("the key %q was taken", secret)
		}
		w.refused(w.get("/x", "x-api-key: "+secret), http.StatusUnauthorized)
	}
	for _, password := range []string{"1234567", annName, "Ann"} {
		if _, err := a.SetPassword(ctx, annName, auth.NewSecret(password)); err == nil {
			t.Errorf("the password %q was taken", password)
		}
	}
	for _, hash := range []string{"secret", "$1$abc$x", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", "$2a$04$x", "5f4dcc3b5aa765d61d8327deb882cf99"} {
		if _, err := a.AddAccount(ctx, admin.NewAccount{Username: "hashed", Hash: auth.NewSecret(hash)}); err == nil {
			t.Errorf("the hash %q was taken", hash)
		}
	}
	if got := w.tryLogin(annName, annPassword); got.status != http.StatusOK {
		t.Error(got)
	}
}

// TestO10ASchemaOrConfigurationOfAnotherVersionIsRefused with what to do about
// it, and neither is changed.
func TestO10ASchemaOrConfigurationOfAnotherVersionIsRefused(t *testing.T) {
	s := setting{gatehouse: "\n\t\tstore sqlite DIR/of.db", sites: guardedSite("login management")}
	w := startSetting(t, s)
	_, key := w.ann()
	path := filepath.Join(w.dir, "of.db")
	exec := func(statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(t.Context(), statement)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	exec(`INSERT INTO schema_migrations (version, name, applied) VALUES (9999, '9999_of_the_future.sql', 0)`)
	w.run("a newer schema is refused in one sentence", func(t *testing.T) {
		for range 2 {
			err := caddy.Load(w.config(s), true)
			if err == nil || !strings.Contains(err.Error(), path) ||
				!strings.HasSuffix(err.Error(), "run the version that wrote it, or a newer one") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		}
	})
	exec(`DELETE FROM schema_migrations WHERE version = 9999`)
	w.run("and was left as it is", func(t *testing.T) {
		w.load(s)
		w.passed(w.get("/x", "x-api-key: "+key))
	})
	w.run("a configuration with a member that is not known is refused by name", func(t *testing.T) {
		for _, c := range []struct{ old, new, names string }{
			{`"handler":"gatehouse"`, `"handler":"gatehouse","sessions_of_2031":true`, "sessions_of_2031"},
			{`"gatehouse":{"store":{`, `"gatehouse":{"shards":3,"store":{`, "shards"},
		} {
			config := string(w.config(s))
			changed := strings.Replace(config, c.old, c.new, 1)
			if changed == config {
				t.Fatalf("no %s in %s", c.old, config)
			}
			err := caddy.Load([]byte(changed), true)
			if err == nil || !strings.Contains(err.Error(), c.names) {
				t.Errorf("%v", err)
			}
			w.passed(w.get("/x", "x-api-key: "+key))
		}
	})
}
