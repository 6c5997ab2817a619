package admin_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/redisstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// A store in a file moves to another file and its sessions to Redis, and again
// after one was revoked, one used and one taken the slot of.
func TestSessionsMoveToRedis(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	from := sqlstore.Place{Path: filepath.Join(dir, "from.db")}
	rows, err := sqlstore.OpenSQLite(ctx, from.Path, sqlstore.Options{})
	must(err)
	defer func() { must(rows.Close()) }()
	apart, err := redisstore.Open(ctx, redisstore.Options{URL: auth.NewSecret(testserver.Redis(t).URL()), Timeout: 20 * time.Second})
	must(err)
	defer func() { must(apart.Close()) }()

	at := time.Now().Truncate(time.Millisecond)
	one := func(n int) store.Session {
		id := fmt.Sprintf("s%03d", n)
		return store.Session{
			ID: id, Realm: "default", Digest: auth.DigestOf(id), Sealed: []byte{1, byte(n)}, Slot: "slot" + id, Subject: "joe", Scopes: auth.Scope{"a"},
			Issued: at, Expires: at.Add(time.Hour), Keep: at.Add(time.Hour),
		}
	}
	var all []store.Session
	for n := range 300 {
		all = append(all, one(n))
	}
	must(rows.Sessions.InsertSession(ctx, all...))

	stranger := one(999)
	must(apart.InsertSession(ctx, stranger))
	source := sqlstore.Snapshot{First: true}
	if _, err := admin.MoveSessions(ctx, source, apart, source.First, time.Now, func(int64) {}); auth.CodeOf(err) != auth.Conflict {
		t.Errorf("over the sessions of another store: %v", err)
	}
	_, err = apart.RevokeSessions(ctx, "default", store.SessionMatch{ID: stranger.ID})
	must(err)

	var moved admin.MovedSessions
	copied := func(rows, written, removed int64) {
		t.Helper()
		tables, err := sqlstore.Copy(ctx, from, sqlstore.Place{Path: filepath.Join(dir, "to.db")}, sqlstore.CopyOptions{
			Step: func(string, int64, int64) {},
			Sessions: func(ctx context.Context, from sqlstore.Snapshot) (err error) {
				moved, err = admin.MoveSessions(ctx, from, apart, from.First, time.Now, func(int64) {})
				return err
			},
		})
		must(err)
		if want := (admin.MovedSessions{Rows: rows, Written: written, Removed: removed}); moved != want {
			t.Errorf("moved %+v, want %+v", moved, want)
		}
		for _, table := range tables {
			if table.Table == "sessions" && table.Rows != 0 {
				t.Errorf("%d sessions are in the database too", table.Rows)
			}
		}
	}
	copied(300, 300, 0)
	copied(300, 0, 0)

	_, err = rows.Sessions.RevokeSessions(ctx, "default", store.SessionMatch{ID: "s001"})
	must(err)
	heir := one(1)
	heir.ID, heir.Digest = "heir", auth.DigestOf("heir")
	must(rows.Sessions.InsertSession(ctx, heir))
	used := one(2)
	used.Retired = at
	must(rows.Sessions.ExchangeSession(ctx, used))
	copied(300, 2, 2)

	if _, err := apart.Session(ctx, "default", store.SessionRef{Digest: auth.DigestOf("s001")}); !auth.IsNotFound(err) {
		t.Errorf("the token that was revoked: %v", err)
	}
	if s, err := apart.Session(ctx, "default", store.SessionRef{Slot: heir.Slot}); err != nil || s.ID != "heir" {
		t.Errorf("the session that took a slot: %+v, %v", s, err)
	}
	if s, err := apart.Session(ctx, "default", store.SessionRef{ID: "s002"}); err != nil || s.Retired.IsZero() || s.Version != 1 {
		t.Errorf("the session that was used: %+v, %v", s, err)
	}
}
