package sqlstore

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// meddled runs a statement on a store behind its back.
func meddled(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", dataSource(path, []string{"foreign_keys(0)"}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), statement)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestInspectSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	if _, err := InspectSQLite(t.Context(), path); err == nil || !strings.Contains(err.Error(), "there is no store "+path) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("it was made")
	}
	s := openPlace(t, Place{Path: path})
	defer func() { _ = s.Close() }()
	if err := s.Tenants.InsertTenant(t.Context(), store.Tenant{ID: "t1", Realm: "default", Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	look := func() Report {
		t.Helper()
		r, err := InspectSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := look()
	if r.Place != path || r.Schema != r.Needed || len(r.Problems) > 0 || len(r.Tables) != len(Tables()) || r.Tables[2] != (TableCount{"tenants", 1}) {
		t.Errorf("a sound store: %+v", r)
	}
	problem := func(name, statement, words string) {
		t.Helper()
		meddled(t, path, statement)
		if p := look().Problems; !strings.Contains(strings.Join(p, "\n"), words) {
			t.Errorf("%s: %q", name, p)
		}
	}
	problem("a table that was changed", `ALTER TABLE memberships ADD COLUMN more TEXT`, "the table memberships is not as this gatehouse makes it")
	problem("an index that is gone", `ALTER TABLE memberships DROP COLUMN more; DROP INDEX sessions_digest`, "the index sessions_digest is missing")
	problem("a table that is gone", `DROP TABLE identifiers`, "the table identifiers is missing")
	if r := look(); len(r.Tables) != len(Tables())-1 {
		t.Errorf("the tables are %v", r.Tables)
	}
	problem("a row that refers to nothing", `INSERT INTO units VALUES ('default', 'U', 'gone', 'n', 'n', 0)`, "a row of units refers to one of tenants that is not there")
	problem("an older schema", `DELETE FROM schema_migrations WHERE version = (SELECT MAX(version) FROM schema_migrations)`, "run the command store migrate")
	problem("a newer schema", `INSERT INTO schema_migrations VALUES (999, 'x', 0)`, "newer than")
}

func TestInspectPostgres(t *testing.T) {
	server := testserver.Postgres(t, "fsync=off", "synchronous_commit=off")
	p := Place{DSN: server.Database("inspected")}
	r, err := InspectPostgres(t.Context(), p.DSN)
	if err != nil || r.Schema != 0 || len(r.Problems) != 3 || !strings.Contains(r.Problems[0], "store migrate") {
		t.Fatalf("an empty database: %+v, %v", r, err)
	}
	if err := p.migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err = InspectPostgres(t.Context(), p.DSN)
	if err != nil || r.Schema != r.Needed || len(r.Tables) != len(Tables()) {
		t.Fatalf("%+v, %v", r, err)
	}
	all := strings.Join(r.Problems, "\n")
	if len(r.Problems) != 2 || !strings.Contains(all, "fsync is off") || !strings.Contains(all, "synchronous_commit is off") {
		t.Errorf("problems: %s", all)
	}
}

// What is looked at may be a backup, which is to stay what it is, or lie where
// nothing can be written.
func TestALookChangesNothing(t *testing.T) {
	dir := t.TempDir()
	live, saved := Place{Path: filepath.Join(dir, "live.db")}, Place{Path: filepath.Join(dir, "saved.db")}
	s := openPlace(t, live)
	if err := s.Tenants.InsertTenant(t.Context(), store.Tenant{ID: "t1", Realm: "default", Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := BackupSQLite(t.Context(), live.Path, saved.Path, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	left := Place{Path: filepath.Join(dir, "left.db")} // of a gateway that was killed
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(live.Path + suffix)
		if err := errors.Join(err, os.WriteFile(left.Path+suffix, text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Place{"a store that was closed": live, "a backup": saved, "a store with a log": left} {
		before := folder(t, dir)
		r, err := InspectSQLite(t.Context(), p.Path)
		if err != nil || len(r.Problems) > 0 || r.Tables[2].Rows != 1 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		looking, err := OpenToLook(t.Context(), p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if row, err := looking.Tenants.Tenant(t.Context(), "default", "t1"); err != nil || row.Name != "Acme" {
			t.Errorf("%s: %+v, %v", name, row, err)
		}
		if err := looking.Tenants.InsertTenant(t.Context(), store.Tenant{ID: "t2", Realm: "default", Name: "B"}); err == nil {
			t.Errorf("%s was written to", name)
		}
		if err := looking.Close(); err != nil {
			t.Error(err)
		}
		if after := folder(t, dir); after != before {
			t.Errorf("a look at %s left\n%sof\n%s", name, after, before)
		}
	}
}

// folder lists the files of a folder, with what is in them. The index of a log is
// no part of a store: it is made anew after a crash.
func folder(t *testing.T, dir string) (list string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		at, e2 := e.Info()
		if err := errors.Join(err, e2); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), "-shm") {
			continue
		}
		list += fmt.Sprintf("%s %v %x\n", e.Name(), at.Mode(), sha256.Sum256(text))
	}
	return list
}

func TestAStoreThatIsOpenedMeanwhileIsNotTakenForSettled(t *testing.T) {
	p := Place{Path: filepath.Join(t.TempDir(), "a.db")}
	if err := p.migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := openReader(p.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if err := r.settled(); err != nil {
		t.Error(err)
	}
	running := openPlace(t, p)
	if err := r.settled(); err == nil || !strings.Contains(err.Error(), "run it again") {
		t.Errorf("while it is open: %v", err)
	}
	if err := running.Tenants.InsertTenant(t.Context(), store.Tenant{ID: "t1", Realm: "default", Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.settled(); err == nil {
		t.Error("it was changed and closed again")
	}
}

func TestABackupIsOfOneInstantAndOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	from, to := Place{Path: filepath.Join(dir, "a.db")}, Place{Path: filepath.Join(dir, "saved.db")}
	s := openPlace(t, from)
	defer func() { _ = s.Close() }()
	if err := s.Tenants.InsertTenant(t.Context(), store.Tenant{ID: "t1", Realm: "default", Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	quiet := func(int64, int64) {}
	size, err := BackupSQLite(t.Context(), from.Path, to.Path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	at, err := os.Stat(to.Path)
	if err != nil || at.Mode().Perm() != 0o600 || at.Size() != size {
		t.Errorf("the backup is %v, %v", at, err)
	}
	if _, err := BackupSQLite(t.Context(), from.Path, to.Path, quiet); err == nil || !strings.Contains(err.Error(), "overwrites nothing") {
		t.Errorf("a second time: %v", err)
	}
	if now, err := os.Stat(to.Path); err != nil || now.Size() != size {
		t.Errorf("what was there: %v, %v", now, err)
	}
	saved := openPlace(t, to)
	defer func() { _ = saved.Close() }()
	if row, err := saved.Tenants.Tenant(t.Context(), "default", "acme"); err != nil || row.ID != "t1" {
		t.Errorf("%+v, %v", row, err)
	}
	none := filepath.Join(dir, "none.db")
	if _, err := BackupSQLite(t.Context(), none, filepath.Join(dir, "b.db"), quiet); err == nil {
		t.Error("a store that is not there was backed up")
	}
	if _, err := os.Stat(filepath.Join(dir, "b.db")); err == nil {
		t.Error("a backup of nothing was left")
	}
}
