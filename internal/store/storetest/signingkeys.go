package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// SigningKeys holds a backend to its part of the contract.
func SigningKeys(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"signing keys come back as they went in, oldest first", signingRoundTrip},
		{"an empty store has none", signingNone},
		{"an id that is taken is a conflict", signingTaken},
		{"unless active refuses a second key of a use, until the first is retired", signingUnlessActive},
		{"an update replaces the row of that id", signingUpdate},
		{"an update of a key that is not there is not found", signingUpdateAbsent},
		{"a delete is idempotent", signingDelete},
		{"a key without an id is malformed", signingMalformed},
		{"a rotation retires the keys of the use that sign, for as long as what they signed lives", signingRotate},
		{"a rotation of a key that signs no more is a conflict", signingRotateLost},
		{"the life of what a key signed is raised and never lowered", signingRaise},
		{"a key that is retired or absent is not raised", signingRaiseRetired},
		{"only a rotation records a change", signingChanges},
		{"a caller may change what it was given", signingCopies},
		{"of keys made at once unless one is active, one wins", signingRace},
		{"of rotations at once one wins", signingRotateRace},
	})
}

func (f *fixture) signing(t *testing.T) []store.SigningKey {
	t.Helper()
	rows, err := f.SigningKeys.SigningKeys(t.Context())
	ok(t, err)
	return rows
}

func (f *fixture) insertSigning(t *testing.T, rows ...store.SigningKey) {
	t.Helper()
	for _, k := range rows {
		ok(t, f.SigningKeys.InsertSigningKey(t.Context(), k, false))
	}
}

func signingRoundTrip(t *testing.T, f *fixture) {
	old, mid, young := signingKey(f.clock, "z"), signingKey(f.clock, "m"), signingKey(f.clock, "a")
	old.Created, young.Created = old.Created.Add(-time.Millisecond), young.Created.Add(time.Millisecond)
	old.Retired, old.Expires = f.clock.after(time.Hour), f.clock.after(2*time.Hour)
	mid.Sealed, mid.Use, mid.Algorithm = []byte{0, 0xff}, "assertion", "HS256"
	tied := signingKey(f.clock, "n")
	f.insertSigning(t, young, tied, old, mid)
	for range 2 {
		want(t, f.signing(t), []store.SigningKey{old, mid, tied, young})
		f.reopen(t)
	}
}

func signingNone(t *testing.T, f *fixture) { want(t, len(f.signing(t)), 0) }

func signingTaken(t *testing.T, f *fixture) {
	k := signingKey(f.clock, "one")
	f.insertSigning(t, k)
	again := k
	again.Use, again.Sealed = "assertion", []byte("another")
	for _, unlessActive := range []bool{false, true} {
		refused(t, f.SigningKeys.InsertSigningKey(t.Context(), again, unlessActive), auth.Conflict)
	}
	want(t, f.signing(t), []store.SigningKey{k})
}

func signingUnlessActive(t *testing.T, f *fixture) {
	first, second, other := signingKey(f.clock, "1"), signingKey(f.clock, "2"), signingKey(f.clock, "3")
	other.Use = "assertion"
	ok(t, f.SigningKeys.InsertSigningKey(t.Context(), first, true))
	ok(t, f.SigningKeys.InsertSigningKey(t.Context(), other, true))
	refused(t, f.SigningKeys.InsertSigningKey(t.Context(), second, true), auth.Conflict)
	want(t, f.signing(t), []store.SigningKey{first, other})

	first.Retired = f.clock.Now()
	ok(t, f.SigningKeys.UpdateSigningKey(t.Context(), first))
	ok(t, f.SigningKeys.InsertSigningKey(t.Context(), second, true))
	ok(t, f.SigningKeys.InsertSigningKey(t.Context(), signingKey(f.clock, "4"), false))
	want(t, len(f.signing(t)), 4)
}

func signingUpdate(t *testing.T, f *fixture) {
	k, other := signingKey(f.clock, "1"), signingKey(f.clock, "2")
	f.insertSigning(t, k, other)
	k.Algorithm, k.Use, k.Sealed = "HS256", "assertion", []byte("sealed again")
	k.Created, k.Retired, k.Expires = f.clock.after(-time.Hour), f.clock.Now(), f.clock.after(time.Hour)
	ok(t, f.SigningKeys.UpdateSigningKey(t.Context(), k))
	f.reopen(t)
	want(t, f.signing(t), []store.SigningKey{k, other})
	k.Retired, k.Expires, k.Sealed = time.Time{}, time.Time{}, nil
	ok(t, f.SigningKeys.UpdateSigningKey(t.Context(), k))
	want(t, f.signing(t), []store.SigningKey{k, other})
}

func signingUpdateAbsent(t *testing.T, f *fixture) {
	refused(t, f.SigningKeys.UpdateSigningKey(t.Context(), signingKey(f.clock, "1")), auth.NotFound)
	want(t, len(f.signing(t)), 0)
}

func signingRotate(t *testing.T, f *fixture) {
	first, second, third, other := signingKey(f.clock, "1"), signingKey(f.clock, "2"), signingKey(f.clock, "3"), signingKey(f.clock, "4")
	other.Use = "assertion"
	gone := signingKey(f.clock, "0")
	gone.Created, gone.Retired, gone.Expires = f.clock.after(-2*time.Hour), f.clock.after(-time.Hour), f.clock.after(time.Hour)
	first.Longest = 30 * 24 * time.Hour
	second.Longest = time.Minute
	f.insertSigning(t, gone, first, second, other)
	third.Created = f.clock.after(time.Second)
	ok(t, f.SigningKeys.RotateSigningKey(t.Context(), first.ID, third, 2*time.Minute))
	first.Retired, first.Expires = third.Created, third.Created.Add(30*24*time.Hour+2*time.Minute)
	second.Retired, second.Expires = third.Created, third.Created.Add(3*time.Minute)
	for range 2 {
		want(t, f.signing(t), []store.SigningKey{gone, first, second, other, third})
		f.reopen(t)
	}
}

func signingRotateLost(t *testing.T, f *fixture) {
	ctx, k, other := t.Context(), signingKey(f.clock, "1"), signingKey(f.clock, "2")
	other.Use = "assertion"
	k.Retired, k.Expires = f.clock.Now(), f.clock.after(time.Hour)
	f.insertSigning(t, k, other)
	next := signingKey(f.clock, "3")
	for _, id := range []string{k.ID, other.ID, "absent", ""} {
		refused(t, f.SigningKeys.RotateSigningKey(ctx, id, next, 0), auth.Conflict)
	}
	again := other // an id that is taken leaves nothing behind
	refused(t, f.SigningKeys.RotateSigningKey(ctx, other.ID, again, 0), auth.Conflict)
	next.ID = ""
	refused(t, f.SigningKeys.RotateSigningKey(ctx, other.ID, next, 0), auth.Malformed)
	want(t, f.signing(t), []store.SigningKey{k, other})
}

func signingRaise(t *testing.T, f *fixture) {
	k, other := signingKey(f.clock, "1"), signingKey(f.clock, "2")
	f.insertSigning(t, k, other)
	for _, life := range []time.Duration{time.Minute, 30 * 24 * time.Hour, time.Hour} {
		ok(t, f.SigningKeys.RaiseSigningKey(t.Context(), k.ID, life))
	}
	k.Longest = 30 * 24 * time.Hour
	f.reopen(t)
	want(t, f.signing(t), []store.SigningKey{k, other})
}

func signingRaiseRetired(t *testing.T, f *fixture) {
	ctx, k := t.Context(), signingKey(f.clock, "1")
	k.Retired, k.Expires = f.clock.Now(), f.clock.after(time.Hour)
	f.insertSigning(t, k)
	for _, id := range []string{k.ID, "absent", ""} {
		refused(t, f.SigningKeys.RaiseSigningKey(ctx, id, time.Hour), auth.NotFound)
	}
	want(t, f.signing(t), []store.SigningKey{k})
}

func signingRotateRace(t *testing.T, f *fixture) {
	ctx := t.Context()
	f.insertSigning(t, signingKey(f.clock, "old"))
	winner := oneWins(t, 16, func(i int) error {
		return f.SigningKeys.RotateSigningKey(ctx, "old", signingKey(f.clock, decimal(int64(i))), time.Hour)
	})
	old := signingKey(f.clock, "old")
	old.Retired, old.Expires = f.clock.Now(), f.clock.after(time.Hour)
	next := signingKey(f.clock, decimal(int64(winner)))
	want(t, f.signing(t), []store.SigningKey{next, old}) // tied, so by id
}

func signingDelete(t *testing.T, f *fixture) {
	k, other := signingKey(f.clock, "1"), signingKey(f.clock, "2")
	f.insertSigning(t, k, other)
	for range 2 {
		ok(t, f.SigningKeys.DeleteSigningKey(t.Context(), k.ID))
	}
	f.reopen(t)
	want(t, f.signing(t), []store.SigningKey{other})
}

func signingMalformed(t *testing.T, f *fixture) {
	k := signingKey(f.clock, "")
	refused(t, f.SigningKeys.InsertSigningKey(t.Context(), k, false), auth.Malformed)
	refused(t, f.SigningKeys.UpdateSigningKey(t.Context(), k), auth.Malformed)
}

func signingChanges(t *testing.T, f *fixture) {
	k := signingKey(f.clock, "1")
	f.records(t, nil, func() {
		f.insertSigning(t, k)
		ok(t, f.SigningKeys.UpdateSigningKey(t.Context(), k))
		ok(t, f.SigningKeys.RaiseSigningKey(t.Context(), k.ID, time.Hour))
		refused(t, f.SigningKeys.RotateSigningKey(t.Context(), "absent", signingKey(f.clock, "2"), 0), auth.Conflict)
	})
	f.records(t, []store.Change{{Kind: store.SigningKeysChanged}}, func() {
		ok(t, f.SigningKeys.RotateSigningKey(t.Context(), k.ID, signingKey(f.clock, "2"), 0))
	})
	f.records(t, nil, func() { ok(t, f.SigningKeys.DeleteSigningKey(t.Context(), k.ID)) })
}

func signingCopies(t *testing.T, f *fixture) {
	given, k := signingKey(f.clock, "1"), signingKey(f.clock, "1")
	f.insertSigning(t, given)
	given.Sealed[0] = 'x'
	rows := f.signing(t)
	want(t, rows, []store.SigningKey{k})
	rows[0].Sealed[0] = 'x'
	want(t, f.signing(t), []store.SigningKey{k})
}

func signingRace(t *testing.T, f *fixture) {
	ctx := t.Context()
	winner := oneWins(t, 16, func(i int) error {
		return f.SigningKeys.InsertSigningKey(ctx, signingKey(f.clock, decimal(int64(i))), true)
	})
	want(t, f.signing(t), []store.SigningKey{signingKey(f.clock, decimal(int64(winner)))})
}
