package redisstore

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// documentedRules reads the rules from the documentation.
func documentedRules(t *testing.T) string {
	t.Helper()
	return documented(t, "ACL SETUSER gatehouse on >password ")
}

// documented is what follows some words in a block of docs/stores.md.
func documented(t *testing.T, words string) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/stores.md")
	must(t, err)
	_, rest, found := strings.Cut(string(text), words)
	if !found {
		t.Fatal("docs/stores.md does not say what permissions are needed")
	}
	rules, _, _ := strings.Cut(rest, "\n```")
	return strings.ReplaceAll(rules, "\\\n", " ")
}

// contractOf uses every method once.
func contractOf(t *testing.T, s *Sessions) {
	t.Helper()
	ctx := t.Context()
	r := issue(t, s, "ann")
	r.Slot = "a slot"
	must(t, s.ExchangeSession(ctx, r, example("bo")))
	must(t, s.TouchSession(ctx, realm, r.ID, time.Now()))
	for _, by := range []store.SessionRef{{ID: r.ID}, {Digest: r.Digest}, {Slot: r.Slot}} {
		_, err := s.Session(ctx, realm, by)
		must(t, err)
	}
	for _, where := range []store.Filter{
		{},
		{Field: store.FieldSubject, Op: store.Equal, Values: []any{"ann"}},
		{Field: store.FieldDigest, Op: store.Equal, Values: []any{r.Digest}},
	} {
		_, _, err := s.FindSessions(ctx, realm, store.SessionQuery{Where: where})
		must(t, err)
	}
	_, err := s.RevokeSessions(ctx, realm, store.SessionMatch{Subject: "ann"})
	must(t, err)
	_, err = s.SweepSessions(ctx, 10)
	must(t, err)
	must(t, s.Record(ctx, store.Change{Kind: store.AllChanged}))
	must(t, s.Wait(ctx, 0))
	_, err = s.Since(ctx, 0, 0)
	must(t, err)
	_, err = s.TrimChanges(ctx, time.Now().Add(time.Hour), 10)
	must(t, err)
}

func TestRedisLetsGoOfRowsItself(t *testing.T) {
	server := testserver.Redis(t)
	s := openPatient(t, server)
	r := example("ann")
	r.Slot = "a slot"
	must(t, s.InsertSession(t.Context(), r))
	must(t, s.TouchSession(t.Context(), realm, r.ID, time.Now()))
	must(t, s.ExchangeSession(t.Context(), r))
	must(t, s.TouchSession(t.Context(), realm, r.ID, time.Now().Add(time.Minute)))
	// The row's own hour, and one more.
	for _, key := range server.Must("KEYS", "*").([]any) {
		kept := key == "{gatehouse}:all" || key == "{gatehouse}:seq" || key == "{gatehouse}:log"
		left := time.Duration(server.Must("PTTL", key.(string)).(int64)) * time.Millisecond
		if !kept && (left < time.Hour+50*time.Minute || left > 2*time.Hour+time.Minute) {
			t.Errorf("%v goes in %v", key, left)
		}
	}
}

func TestAKeyThatRedisLetGoOfIsNowhere(t *testing.T) {
	server := testserver.Redis(t)
	s := openPatient(t, server)
	r := issue(t, s, "ann")
	server.Must("DEL", s.prefix+rowOf(realm, r.ID)) // as when its expiry comes
	if has(t, s, r) {
		t.Fatal("a pointer is a session")
	}
	rows, total, err := s.FindSessions(t.Context(), realm, store.SessionQuery{})
	must(t, err)
	if len(rows)+total != 0 {
		t.Fatalf("found %d of %d", len(rows), total)
	}
	n, err := s.RevokeSessions(t.Context(), realm, store.SessionMatch{Subject: "ann"})
	must(t, err)
	if n != 0 {
		t.Fatalf("revoked %d", n)
	}
	must(t, s.InsertSession(t.Context(), r)) // all of its names are free
	if !has(t, s, r) {
		t.Fatal("it is not there again")
	}
}

func TestARevocationOfVeryManyRemovesAll(t *testing.T) {
	s := openPatient(t, testserver.Redis(t))
	other := issue(t, s, "bo")
	const n = revokeStep + revokeStep/2
	for range 10 {
		rows := make([]store.Session, n/10)
		for i := range rows {
			rows[i] = example("ann")
			rows[i].Tenant = "acme"
		}
		must(t, s.InsertSession(t.Context(), rows...))
	}
	removed, err := s.RevokeSessions(t.Context(), realm, store.SessionMatch{Tenant: "acme"})
	must(t, err)
	if removed != n {
		t.Fatalf("removed %d of %d", removed, n)
	}
	if !has(t, s, other) {
		t.Fatal("another subject's session went too")
	}
}

// A node whose clock runs ahead must not take rows of others out of the indexes
// by which they are revoked.
func TestAClockAheadHidesNothingFromARevocation(t *testing.T) {
	server := testserver.Redis(t)
	s := openPatient(t, server)
	ahead := openURL(t, Options{
		URL: auth.NewSecret(server.URL()), Now: func() time.Time { return time.Now().Add(90 * time.Minute) }, Timeout: ample,
	})
	r := issue(t, s, "ann")
	late := example("ann")
	late.Expires = time.Now().Add(3 * time.Hour)
	late.Keep = late.Expires
	must(t, ahead.InsertSession(t.Context(), late))
	n, err := s.RevokeSessions(t.Context(), realm, store.SessionMatch{Subject: "ann"})
	must(t, err)
	if n != 2 || has(t, s, r) {
		t.Fatalf("revoked %d, and the first is there: %v", n, has(t, s, r))
	}
}

func TestAWriteThatReplicasMustHave(t *testing.T) {
	master := testserver.Redis(t)
	replica := testserver.Redis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", master.Port))
	s := openURL(t, Options{URL: auth.NewSecret(master.URL()), Replicas: 1})
	until(t, "the replica follows", func() error { return s.InsertSession(t.Context(), example("first")) })
	r := issue(t, s, "ann")
	replica.Pause()
	late := example("late")
	refused(t, timed(t, "insert", func(ctx context.Context) error { return s.InsertSession(ctx, late) }), auth.Unavailable)
	if !has(t, s, late) {
		t.Fatal("it is said to be written but not confirmed, and is not there")
	}
	if !has(t, s, r) {
		t.Fatal("look-ups wait for replicas too")
	}
	replica.Resume()
	until(t, "the replica confirms again", func() error { return s.InsertSession(t.Context(), example("last")) })
}
