package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// copyWorld is a source with rows of every kind in a file, and what copies it.
type copyWorld struct {
	*testing.T
	store.Store
	from Place
}

func newCopyWorld(t *testing.T) *copyWorld {
	w := &copyWorld{T: t, from: Place{Path: filepath.Join(t.TempDir(), "from.db")}}
	s, err := OpenSQLite(t.Context(), w.from.Path, Options{})
	w.must(err)
	w.Store = s
	t.Cleanup(func() { w.must(s.Close()) })
	return w
}

func (w *copyWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *copyWorld) session(realm string, n int) store.Session {
	at := time.Now().Truncate(time.Millisecond)
	id := fmt.Sprintf("s%05d", n)
	return store.Session{
		ID: id, Realm: realm, Digest: auth.DigestOf(realm + id), Sealed: []byte{0, 0xff, byte(n)}, Kind: store.OneTimeToken, Subject: "a1",
		Scopes: auth.Scope{"a", "ü"}, Slot: "slot " + id, Issued: at, Expires: at.Add(time.Hour), Keep: at.Add(2 * time.Hour), Idle: time.Minute,
	}
}

// fill adds rows to every table.
func (w *copyWorld) fill() {
	ctx := w.Context()
	for _, realm := range []string{"default", "other"} {
		w.must(w.Tenants.InsertTenant(ctx, store.Tenant{ID: "t1", Realm: realm, Name: "Acme"}))
		w.must(w.Units.InsertUnit(ctx, store.Unit{ID: "U1", Realm: realm, Tenant: "t1", Name: "Sales"}))
		for i := range 3 {
			a := store.Account{
				ID: fmt.Sprintf("a%d", i), Realm: realm, Username: fmt.Sprintf("Joe%d", i), Email: fmt.Sprintf("joe%d@example.com", i),
				Password: auth.NewSecret("$argon2id$x"), Roles: []string{"admin"}, Disabled: i == 1,
				Profile: store.Profile{LastName: "Björk"}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Created: time.Now(),
			}
			w.must(w.Accounts.InsertAccount(ctx, a))
			w.must(w.Memberships.PutMembership(ctx, store.Membership{Realm: realm, Account: a.ID, Tenant: "t1", Unit: "U1"}))
			w.must(w.Identities.InsertIdentity(ctx, store.Identity{ID: "i" + a.ID, Realm: realm, Account: a.ID}, false))
			w.must(w.Identifiers.InsertIdentifier(ctx, store.Identifier{ID: "c" + a.ID, Realm: realm, Account: a.ID, Code: auth.DigestOf(realm + a.ID)}))
			_, err := w.Keys.InsertKey(ctx, store.Key{Realm: realm, Digest: auth.DigestOf(realm + a.ID), Account: a.ID, Gateway: i == 2})
			w.must(err)
		}
		var rows []store.Session
		for n := range sessionsEach {
			rows = append(rows, w.session(realm, n))
		}
		w.must(w.Sessions.InsertSession(ctx, rows...))
	}
	w.must(w.SigningKeys.InsertSigningKey(ctx, store.SigningKey{ID: "k1", Use: "token", Sealed: []byte("x"), Created: time.Now(), Longest: time.Hour}, false))
}

func (w *copyWorld) copy(to Place, o CopyOptions) (written, removed int64, err error) {
	if o.Step == nil {
		o.Step = func(string, int64, int64) {}
	}
	all, err := Copy(w.Context(), w.from, to, o)
	for _, c := range all {
		written += c.Written
		removed += c.Removed
	}
	return written, removed, err
}

// wholly copies and wants so many rows to differ.
func (w *copyWorld) wholly(to Place, written, removed int64) {
	w.Helper()
	n, m, err := w.copy(to, CopyOptions{})
	w.must(err)
	if n != written || m != removed {
		w.Errorf("%d rows were written and %d removed, want %d and %d", n, m, written, removed)
	}
}

func (w *copyWorld) fails(to Place, words string) {
	w.Helper()
	if _, _, err := w.copy(to, CopyOptions{}); err == nil || !strings.Contains(err.Error(), words) {
		w.Errorf("got %v, want %q", err, words)
	}
}

func openPlace(t *testing.T, p Place) store.Store {
	t.Helper()
	s, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sessionsEach is how many sessions a realm has, allRows how many rows there are..
const sessionsEach = 300

const allRows = 2*(1+2+1+2+3*(1+3+1+1+1+1)+sessionsEach) + 1

func TestCopyOfALiveStore(t *testing.T) {
	targets := map[string]func(t *testing.T) Place{
		"to a file": func(t *testing.T) Place { return Place{Path: filepath.Join(t.TempDir(), "to.db")} },
	}
	t.Run("to a file", func(t *testing.T) { copyAndCopyAgain(t, targets["to a file"](t)) })
	t.Run("to a server", func(t *testing.T) {
		copyAndCopyAgain(t, Place{DSN: testserver.Postgres(t, "fsync=off").Database("copy")})
	})
}

func copyAndCopyAgain(t *testing.T, to Place) {
	w := newCopyWorld(t)
	w.fill()
	ctx := t.Context()
	k, err := w.Keys.InsertKey(ctx, store.Key{Realm: "default", Digest: auth.DigestOf("last")})
	w.must(err)
	w.wholly(to, allRows+1, 0)
	w.wholly(to, 0, 0)

	// Names change hands, one goes with all it has, a session takes the slot of
	// another, one is used, the sequence of keys goes on.
	rename := func(id, name, email string) {
		a, err := w.Accounts.Account(ctx, "default", id)
		w.must(err)
		a.Username, a.Email = name, email
		w.must(w.Accounts.UpdateAccount(ctx, a))
	}
	rename("a0", "swap", "")
	rename("a1", "Joe0", "joe0@example.com")
	rename("a0", "Joe1", "joe1@example.com")
	w.must(w.Accounts.DeleteAccount(ctx, "other", "a2"))
	_, err = w.Sessions.RevokeSessions(ctx, "default", store.SessionMatch{ID: "s00299"})
	w.must(err)
	heir := w.session("default", 299)
	heir.ID, heir.Digest = "a-first-id", auth.DigestOf("heir")
	w.must(w.Sessions.InsertSession(ctx, heir))
	s, err := w.Sessions.Session(ctx, "default", store.SessionRef{ID: "s00003"})
	w.must(err)
	s.Retired = time.Now()
	w.must(w.Sessions.ExchangeSession(ctx, s))
	if _, _, err := w.copy(to, CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	w.wholly(to, 0, 0)

	target := openPlace(t, to)
	defer func() { w.must(target.Close()) }()
	a, err := target.Accounts.Account(ctx, "default", "JOE0@example.com")
	if err != nil || a.ID != "a1" || !a.Disabled || a.Profile.LastName != "Björk" {
		t.Errorf("the account that took a name: %+v, %v", a, err)
	}
	if _, err := target.Accounts.Account(ctx, "other", "Joe2"); !auth.IsNotFound(err) {
		t.Errorf("the account that is gone: %v", err)
	}
	got, err := target.Sessions.Session(ctx, "default", store.SessionRef{Slot: heir.Slot})
	if err != nil || got.ID != heir.ID || !slices.Equal(got.Sealed, heir.Sealed) || !got.Expires.Equal(heir.Expires) {
		t.Errorf("the session that took a slot: %+v, %v", got, err)
	}
	if got, err := target.Sessions.Session(ctx, "default", store.SessionRef{ID: "s00003"}); err != nil || got.Version != 1 || got.Retired.IsZero() {
		t.Errorf("the session that was used: %+v, %v", got, err)
	}
	next, err := target.Keys.InsertKey(ctx, store.Key{Realm: "default", Digest: auth.DigestOf("next")})
	if err != nil || next <= k {
		t.Errorf("the next key is %d after %d, %v", next, k, err)
	}
	w.fails(to, "was written to since the last copy")
	if _, _, err := w.copy(to, CopyOptions{Overwrite: true}); err != nil {
		t.Error(err)
	}
	if _, err := target.Keys.Key(ctx, "default", next); !auth.IsNotFound(err) {
		t.Errorf("what was written to the target: %v", err)
	}

	back := Place{Path: filepath.Join(t.TempDir(), "back.db")}
	w.from = to
	w.wholly(back, allRows+1-8, 0)
}

func TestACopyHasThoseOnTheTargetForgetWhatTheyKnow(t *testing.T) {
	w, to := newCopyWorld(t), Place{Path: filepath.Join(t.TempDir(), "to.db")}
	w.fill()
	w.wholly(to, allRows, 0)
	running := openPlace(t, to)
	defer func() { w.must(running.Close()) }()
	before, err := running.Changes.Latest(t.Context())
	w.must(err)
	_, err = w.Sessions.RevokeSessions(t.Context(), "default", store.SessionMatch{ID: "s00001"})
	w.must(err)
	w.wholly(to, 0, 1)
	changes, err := running.Changes.Since(t.Context(), before, 10)
	w.must(err)
	if len(changes) != 2 || changes[0].Kind != store.AllChanged || changes[1].Kind != store.SigningKeysChanged {
		t.Errorf("the changes are %v", changes)
	}
}

func TestAnInterruptedCopyGoesOn(t *testing.T) {
	w, to := newCopyWorld(t), Place{Path: filepath.Join(t.TempDir(), "to.db")}
	w.fill()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Copy(ctx, w.from, to, CopyOptions{Step: func(table string, done, _ int64) {
		if table == sessionsTable && done >= 500 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("it was not interrupted: %v", err)
	}
	n, _, err := w.copy(to, CopyOptions{})
	w.must(err)
	if n == 0 || n >= 2*sessionsEach {
		t.Errorf("the second run wrote %d rows", n)
	}
	w.wholly(to, 0, 0)
}

func TestACopyRefusesATargetWithOtherRows(t *testing.T) {
	w := newCopyWorld(t)
	w.fill()
	other := newCopyWorld(t)
	w.must(other.Tenants.InsertTenant(t.Context(), store.Tenant{ID: "t1", Realm: "default", Name: "Initech"}))
	w.fails(other.from, "holds 3 rows that did not come from this source")
	if _, _, err := w.copy(other.from, CopyOptions{Overwrite: true}); err == nil {
		t.Error("to overwrite is only for a copy of the same source")
	}
	if row, err := other.Tenants.Tenant(t.Context(), "default", "t1"); err != nil || row.Name != "Initech" {
		t.Errorf("what was there: %+v, %v", row, err)
	}
	w.fails(w.from, "are the same")
	missing := w.from
	w.from = Place{Path: filepath.Join(t.TempDir(), "none.db")}
	w.fails(missing, "there is no store")
	if _, err := os.Stat(w.from.Path); err == nil {
		t.Error("the source was made")
	}
}

func TestACopyThatDiffersAtTheEndIsAnError(t *testing.T) {
	w, to := newCopyWorld(t), Place{Path: filepath.Join(t.TempDir(), "to.db")}
	w.fill()
	w.must(to.migrate(t.Context()))
	running := openPlace(t, to)
	defer func() { w.must(running.Close()) }()
	_, _, err := w.copy(to, CopyOptions{Step: func(table string, done, of int64) {
		if table == sessionsTable && done == of {
			w.must(running.Tenants.InsertTenant(t.Context(), store.Tenant{ID: "t2", Realm: "default", Name: "Hooli"}))
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "stop what else writes to") {
		t.Errorf("got %v", err)
	}
}

// A gateway on half of a copy would know less of what was revoked than of what was
// issued.
func TestAHalfCopyIsNotUsed(t *testing.T) {
	t.Run("in a file", func(t *testing.T) {
		halfCopied(t, Place{Path: filepath.Join(t.TempDir(), "to.db")}, func(p Place) (Report, error) { return InspectSQLite(t.Context(), p.Path) })
	})
	t.Run("in a server", func(t *testing.T) {
		to := Place{DSN: testserver.Postgres(t, "fsync=off").Database("half")}
		halfCopied(t, to, func(p Place) (Report, error) { return InspectPostgres(t.Context(), p.DSN) })
	})
}

func halfCopied(t *testing.T, to Place, inspect func(Place) (Report, error)) {
	w := newCopyWorld(t)
	w.fill()
	open := func(p Place) error {
		s, err := OpenSQLite(t.Context(), p.Path, Options{})
		if p.DSN != "" {
			s, err = OpenPostgres(t.Context(), p.DSN, Options{})
		}
		if err != nil {
			return err
		}
		return s.Close()
	}
	refused := func() {
		t.Helper()
		if err := open(to); err == nil || !strings.Contains(err.Error(), "finish it with the command store copy") {
			t.Errorf("it is opened: %v", err)
		}
	}
	stop := errors.New("stop")
	_, _, err := w.copy(to, CopyOptions{Sessions: func(context.Context, Snapshot) error { refused(); return stop }})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	refused()
	r, err := inspect(to)
	if w.must(err); len(r.Problems) == 0 || !strings.Contains(strings.Join(r.Problems, "\n"), "is not finished") {
		t.Errorf("a check says %q", r.Problems)
	}
	whole := w.from
	w.from = to
	w.fails(Place{Path: filepath.Join(t.TempDir(), "further.db")}, "is not finished")
	w.from = whole
	w.wholly(to, 2*sessionsEach, 0)
	w.must(open(to))
	// One that is made again is half of a copy too.
	_, _, err = w.copy(to, CopyOptions{Sessions: func(context.Context, Snapshot) error { refused(); return nil }, Overwrite: true})
	w.must(err)
	w.must(open(to))
}

// Of two copies to one file the first is of an earlier instant: what it writes
// would bring back what was revoked since.
func TestACopyEndsWhereAnotherBeginsOnTheSameFile(t *testing.T) {
	w, to := newCopyWorld(t), Place{Path: filepath.Join(t.TempDir(), "to.db")}
	w.fill()
	began := false
	_, _, err := w.copy(to, CopyOptions{Step: func(string, int64, int64) {
		if began {
			return
		}
		began = true
		_, err := w.Sessions.RevokeSessions(t.Context(), "default", store.SessionMatch{ID: "s00001"})
		w.must(err)
		_, _, err = w.copy(to, CopyOptions{})
		w.must(err)
	}})
	if err == nil || !strings.Contains(err.Error(), "another copy to it has begun") {
		t.Errorf("the first copy: %v", err)
	}
	w.wholly(to, 0, 0)
}

func TestACopyToItselfIsRefusedHoweverItIsNamed(t *testing.T) {
	w := newCopyWorld(t)
	link := filepath.Join(t.TempDir(), "link.db")
	w.must(os.Symlink(w.from.Path, link))
	w.fails(Place{Path: link}, "are the same store")
	server := testserver.Postgres(t, "fsync=off")
	w.from = Place{DSN: server.Database("itself")}
	w.must(w.from.migrate(t.Context()))
	w.fails(Place{DSN: w.from.DSN + "&application_name=x"}, "are the same store")
}

// What a copy goes by at its end, and before it writes to an earlier one, notices
// every difference.
func TestTheDigestOfAStoreIsOfEveryColumn(t *testing.T) {
	w := newCopyWorld(t)
	w.fill()
	saved := filepath.Join(t.TempDir(), "saved.db")
	_, err := BackupSQLite(t.Context(), w.from.Path, saved, func(int64, int64) {})
	w.must(err)
	digest := func(path string) string {
		s, err := openSide(t.Context(), Place{Path: path}, false)
		w.must(err)
		defer s.close()
		text, err := s.digest(t.Context())
		w.must(err)
		return text
	}
	text, err := os.ReadFile(saved)
	w.must(err)
	want := digest(saved)
	for _, table := range tablesInOrder {
		for _, column := range table.columns {
			planted := filepath.Join(t.TempDir(), "planted.db")
			w.must(os.WriteFile(planted, text, 0o600))
			key := strings.Join(table.key, ", ")
			meddled(t, planted, fmt.Sprintf(`UPDATE %[1]s SET %[2]s = CASE typeof(%[2]s) WHEN 'integer' THEN %[2]s + 7 WHEN 'blob' THEN x'0077'
				WHEN 'text' THEN %[2]s || 'x' ELSE (SELECT CASE type WHEN 'BLOB' THEN x'00' ELSE 'x' END FROM pragma_table_info('%[1]s') WHERE name = '%[2]s') END
				WHERE (%[3]s) = (SELECT %[3]s FROM %[1]s LIMIT 1)`, table.name, column, key))
			if digest(planted) == want {
				t.Errorf("a difference in %s.%s is not noticed", table.name, column)
			}
		}
	}
}

// A migration that adds a column or table is copied too, or this fails.
func TestTheTablesOfACopyAreThoseOfTheSchema(t *testing.T) {
	ownTables := []string{"changes", "changes_trimmed", "schema_migrations", "copied_from", "sqlite_sequence"}
	var want []string
	for _, t := range tablesInOrder {
		for _, c := range t.columns {
			want = append(want, t.name+"."+c)
		}
	}
	slices.Sort(want)
	check := func(t *testing.T, db *sql.DB, query string) {
		t.Helper()
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = eachRow(rows, func(r scanner) error {
			var table, column string
			err := r.Scan(&table, &column)
			if !slices.Contains(ownTables, table) && column != "row_id" {
				got = append(got, table+"."+column)
			}
			return err
		})
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("the schema has\n%v\na copy\n%v\n%v", got, want, err)
		}
	}
	t.Run("of SQLite", func(t *testing.T) {
		p := Place{Path: filepath.Join(t.TempDir(), "a.db")}
		if err := p.migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		db, err := openReader(p.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		check(t, db.DB, `SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'`)
	})
	t.Run("of PostgreSQL", func(t *testing.T) {
		p := Place{DSN: testserver.Postgres(t, "fsync=off").Database("tables")}
		if err := p.migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		db, _, err := openPlain(p.DSN, false)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		check(t, db, `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()`)
	})
}
