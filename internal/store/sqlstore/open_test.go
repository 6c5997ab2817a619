package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// openAt opens a store and closes it after the test.
func openAt(t *testing.T, path string, o Options, pragmas ...string) *database {
	t.Helper()
	d, err := openSQLite(t.Context(), path, sqliteFlavour(), o, pragmas...)
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

// fileOf and committerOf are what is below a store in a file.
func fileOf(d *database) *file { return d.engine.(*file) }

func committerOf(d *database) *committer { return fileOf(d).committer }

func openTemp(t *testing.T, o Options, pragmas ...string) *database {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "gatehouse.db"), o, pragmas...)
}

// testSession is the n-th of sessions that live for an hour.
func testSession(n int) store.Session {
	now := store.Precise(time.Now())
	return store.Session{
		ID: fmt.Sprintf("session %d", n), Realm: "default", Digest: auth.DigestOf(fmt.Sprintf("token %d", n)),
		Dialect: "management", Kind: store.AccessToken, Subject: "ana",
		Issued: now, Expires: now.Add(time.Hour), Keep: now.Add(time.Hour),
	}
}

// has fails the test unless the n-th session is there.
func has(t *testing.T, d *database, n int) {
	t.Helper()
	if _, err := d.Session(t.Context(), "default", store.SessionRef{Digest: testSession(n).Digest}); err != nil {
		t.Fatalf("session %d: %v", n, err)
	}
}

func lacks(t *testing.T, d *database, n int) {
	t.Helper()
	_, err := d.Session(t.Context(), "default", store.SessionRef{Digest: testSession(n).Digest})
	wantCode(t, err, auth.NotFound)
}

func insert(t *testing.T, d *database, n int) {
	t.Helper()
	if err := d.InsertSession(t.Context(), testSession(n)); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code auth.Code) {
	t.Helper()
	if err == nil || auth.CodeOf(err) != code {
		t.Fatalf("got error %v, want %v", err, code)
	}
}

func TestOpenMakesAFileAndItsFolderForTheOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "here", "a?b%20#c 'd'.db")
	d := openAt(t, path, Options{})
	insert(t, d, 1)
	for name, want := range map[string]fs.FileMode{
		filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600,
	} {
		at, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if at.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", name, at.Mode().Perm(), want)
		}
	}
}

func TestOpenTakesTheFileFromEverybodyElse(t *testing.T) {
	for _, mode := range []fs.FileMode{0o644, 0o666, 0o660, 0o600} {
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		openAt(t, path, Options{})
		at, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := at.Mode().Perm(); got != mode&^0o007 {
			t.Errorf("a file of mode %v has mode %v", mode, got)
		}
	}
}

func TestOpenRefusesInOneSentenceThatNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("file", "text")
	for _, c := range []struct{ name, path, says string }{
		{"a folder that cannot be made", filepath.Join(file, "below", "gatehouse.db"), "not a directory"},
		{"a folder that is a file", filepath.Join(file, "gatehouse.db"), "not a directory"},
		{"a file that is a folder", dir, "no regular file"},
		{"a file that is no database", write("junk.db", strings.Repeat("no database ", 1000)), "is not a database"},
		{"a database of another program", foreignDatabase(t, dir), "tables of another program"},
		{"a schema of the future", futureDatabase(t, dir), "run the version that wrote it, or a newer one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenSQLite(t.Context(), c.path, Options{})
			if err == nil {
				t.Fatal("got no error")
			}
			text := err.Error()
			if !strings.Contains(text, c.path) || !strings.Contains(text, c.says) || strings.Contains(text, "\n") {
				t.Errorf("got %q, want one line with %q and %q", text, c.path, c.says)
			}
		})
	}
}

func TestOpenRefusesAFolderThatIsNotWritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "read only")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Create(filepath.Join(dir, "probe")); err == nil {
		_ = f.Close()
		t.Skip("this user may write to every folder")
	}
	path := filepath.Join(dir, "gatehouse.db")
	_, err := OpenSQLite(t.Context(), path, Options{})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v, want a refusal that names %s", err, path)
	}
}

func foreignDatabase(t *testing.T, dir string) string {
	path := filepath.Join(dir, "foreign.db")
	db, err := sql.Open("sqlite", dataSource(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(`CREATE TABLE recipes (name TEXT)`); err != nil {
		t.Fatal(err)
	}
	return path
}

// steps are the migrations that this version knows.
func steps(t *testing.T) []migration {
	t.Helper()
	all, err := readMigrations(sqliteFlavour().migrations)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestOpenKeepsWhatAnOlderVersionWrote opens, with this version, a store of
// each schema before it.
func TestOpenKeepsWhatAnOlderVersionWrote(t *testing.T) {
	all := steps(t)
	for n := 1; n < len(all); n++ {
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		older := sqliteFlavour()
		files := fstest.MapFS{}
		for _, s := range all[:n] {
			files[s.name] = &fstest.MapFile{Data: []byte(s.script)}
		}
		older.migrations = files
		d, err := openSQLite(t.Context(), path, older, Options{})
		if err != nil {
			t.Fatal(err)
		}
		account := store.Account{ID: "a", Realm: "default", Username: "ana"}
		if err := errors.Join(d.InsertAccount(t.Context(), account), d.InsertSession(t.Context(), testSession(1)), d.shut()); err != nil {
			t.Fatalf("schema %d: %v", n, err)
		}
		now := openAt(t, path, Options{})
		has(t, now, 1)
		identity := store.Identity{ID: "i", Realm: "default", Account: "a"}
		if err := now.InsertIdentity(t.Context(), identity, true); err != nil {
			t.Errorf("schema %d: %v", n, err)
		}
	}
}

func futureDatabase(t *testing.T, dir string) string {
	path := filepath.Join(dir, "future.db")
	future := sqliteFlavour()
	files := fstest.MapFS{}
	for i := range len(steps(t)) + 1 {
		files[fmt.Sprintf("%04d_table.sql", i+1)] = &fstest.MapFile{Data: fmt.Appendf(nil, "CREATE TABLE t%d (a TEXT)", i)}
	}
	future.migrations = files
	d, err := openSQLite(t.Context(), path, future, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.shut(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMigrationsThatFailLeaveNothingBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	broken := sqliteFlavour()
	broken.migrations = fstest.MapFS{
		"0001_initial.sql": {Data: []byte(`CREATE TABLE a (b TEXT)`)},
		"0002_broken.sql":  {Data: []byte(`CREATE TABLE c (d TEXT); CREATE NONSENSE`)},
	}
	if _, err := openSQLite(t.Context(), path, broken, Options{}); err == nil || !strings.Contains(err.Error(), "0002_broken.sql") {
		t.Fatalf("got %v, want an error that names the migration", err)
	}
	insert(t, openAt(t, path, Options{}), 1)
}

func TestMigrationsAreNumberedWithoutAGap(t *testing.T) {
	for _, names := range [][]string{{"0002_a.sql"}, {"0001_a.sql", "0003_b.sql"}, {"a.sql"}} {
		files := fstest.MapFS{}
		for _, n := range names {
			files[n] = &fstest.MapFile{}
		}
		if _, err := readMigrations(files); err == nil {
			t.Errorf("%v: got no error", names)
		}
	}
}

// It is also what fails when a file that is in use is opened and closed, which
// ends the locks of this process on it.
func TestManyMayOpenANewFileAtTheSameTime(t *testing.T) {
	for range 3 {
		openAtOnce(t)
	}
}

func openAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	helpers := []*exec.Cmd{helper(t, path, "11"), helper(t, path, "12")}
	var all sync.WaitGroup
	for _, cmd := range helpers {
		all.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("the other process: %v: %s", err, out)
			}
		})
	}
	for i := range 8 {
		all.Go(func() {
			d, err := openSQLite(t.Context(), path, sqliteFlavour(), Options{})
			if err != nil {
				t.Errorf("opener %d: %v", i, err)
				return
			}
			err = errors.Join(d.InsertSession(t.Context(), testSession(i)), d.shut())
			if err != nil {
				t.Errorf("opener %d: %v", i, err)
			}
		})
	}
	all.Wait()
	d := openAt(t, path, Options{})
	for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 7, 11, 12} {
		has(t, d, i)
	}
	var applied int
	if err := fileOf(d).pools.readers.QueryRow(`SELECT COUNT(*) FROM schema_migrations`).Scan(&applied); err != nil || applied != len(steps(t)) {
		t.Fatalf("got %d migrations, %v", applied, err)
	}
}

// helper is another process, which inserts a session and revokes its subject.
func helper(t *testing.T, path, n string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestHelperProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), "SQLSTORE_HELPER_PATH="+path, "SQLSTORE_HELPER_SESSION="+n)
	return cmd
}

// TestHelperProcess is what helper runs; alone it does nothing.
func TestHelperProcess(t *testing.T) {
	path := os.Getenv("SQLSTORE_HELPER_PATH")
	if path == "" {
		return
	}
	var n int
	if _, err := fmt.Sscan(os.Getenv("SQLSTORE_HELPER_SESSION"), &n); err != nil {
		t.Fatal(err)
	}
	d := openAt(t, path, Options{})
	insert(t, d, n)
	if _, err := d.RevokeSessions(t.Context(), "default", store.SessionMatch{Subject: "nobody"}); err != nil {
		t.Fatal(err)
	}
}

func TestWaitNoticesAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	d := openAt(t, path, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	noticed := make(chan error, 1)
	go func() {
		for {
			err := d.Wait(ctx, 0)
			changes, e := d.Since(ctx, 0, 10)
			if err = errors.Join(err, e); err != nil || len(changes) > 0 {
				noticed <- err
				return
			}
		}
	}()
	if out, err := helper(t, path, "1").CombinedOutput(); err != nil {
		t.Fatalf("the other process: %v: %s", err, out)
	}
	if err := <-noticed; err != nil {
		t.Fatal(err)
	}
	has(t, d, 1)
}

func TestWaitReturnsWellBeforeItsHeartbeatWhenAnotherHandleCommits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	d, other := openAt(t, path, Options{}), openAt(t, path, Options{})
	quick := 0
	for range 10 {
		after, err := d.Latest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		waited := make(chan error, 1)
		start := time.Now()
		go func() { waited <- d.Wait(t.Context(), after) }()
		if err := other.Record(t.Context(), store.Change{Kind: store.AllChanged}); err != nil {
			t.Fatal(err)
		}
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
		if time.Since(start) < heartbeat/2 {
			quick++
		}
	}
	if quick == 0 {
		t.Fatal("every wait lasted until about its heartbeat")
	}
}
