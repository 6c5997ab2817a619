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
		{"no method records a change", signingChanges},
		{"a caller may change what it was given", signingCopies},
		{"of keys made at once unless one is active, one wins", signingRace},
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
		ok(t, f.SigningKeys.DeleteSigningKey(t.Context(), k.ID))
	})
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
