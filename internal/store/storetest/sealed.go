package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// SealedSessions holds a backend that has them to the contract of
// [store.SealedSessions].
func SealedSessions(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a walk finds what is sealed in every realm, and nothing else", sealedWalk},
		{"an error ends the walk", sealedWalkEnds},
		{"what is sealed anew is all that changes", sealedAnew},
		{"what was sealed otherwise meanwhile is a conflict", sealedLost},
		{"who replaces the row meanwhile does not lose against it", sealedExchange},
	})
}

// SealedKeys holds a backend that has them to the contract of
// [store.SealedKeys].
func SealedKeys(t *testing.T, b Backend) {
	b.hold(t, []clause{
		{"a signing key that is sealed anew keeps all else", sealedKeyAnew},
		{"a signing key that was sealed otherwise meanwhile is a conflict", sealedKeyLost},
		{"codes are counted in every realm, and names are not", sealedCodes},
	})
}

func (f *fixture) sealed(t *testing.T) store.SealedSessions {
	t.Helper()
	s, there := f.Sessions.(store.SealedSessions)
	if !there {
		t.Fatal("the store cannot seal sessions anew")
	}
	return s
}

func (f *fixture) walk(t *testing.T) (ids []string) {
	t.Helper()
	ok(t, f.sealed(t).WalkSealed(t.Context(), func(row store.SealedRow) error {
		ids = append(ids, row.Realm+" "+row.ID+" "+string(row.Sealed))
		return nil
	}))
	slices.Sort(ids)
	return ids
}

func sealedWalk(t *testing.T, f *fixture) {
	var all []string
	for i := range 30 {
		s := session(f.clock, decimal(int64(i)))
		if i%2 == 0 {
			s.Realm = foreign
		}
		if i%3 == 0 {
			s.Sealed = []byte("sealed " + decimal(int64(i)))
			all = append(all, s.Realm+" "+s.ID+" "+string(s.Sealed))
		}
		f.insertSessions(t, s)
	}
	slices.Sort(all)
	want(t, f.walk(t), all)
}

func sealedWalkEnds(t *testing.T, f *fixture) {
	f.insertSessions(t, fullSession(f.clock, "a"), fullSession(f.clock, "b"))
	enough, n := errors.New("enough"), 0
	err := f.sealed(t).WalkSealed(t.Context(), func(store.SealedRow) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Fatalf("%v after %d rows", err, n)
	}
}

func sealedAnew(t *testing.T, f *fixture) {
	s, other := fullSession(f.clock, "a"), fullSession(f.clock, "b")
	f.insertSessions(t, s, other)
	f.records(t, nil, func() {
		row := store.SealedRow{Realm: s.Realm, ID: s.ID, Sealed: s.Sealed}
		ok(t, f.sealed(t).ResealSession(t.Context(), row, []byte{9, 0xfe, '"'}))
	})
	s.Sealed = []byte{9, 0xfe, '"'}
	f.holds(t, s)
	f.holds(t, other)
}

func sealedLost(t *testing.T, f *fixture) {
	s, bare := fullSession(f.clock, "a"), session(f.clock, "bare")
	f.insertSessions(t, s, bare)
	for _, row := range []store.SealedRow{
		{Realm: s.Realm, ID: s.ID, Sealed: []byte("another")},
		{Realm: foreign, ID: s.ID, Sealed: s.Sealed},
		{Realm: s.Realm, ID: "nobody", Sealed: s.Sealed},
		{Realm: bare.Realm, ID: bare.ID, Sealed: s.Sealed},
	} {
		refused(t, f.sealed(t).ResealSession(t.Context(), row, []byte("new")), auth.Conflict)
	}
	f.holds(t, s)
	f.holds(t, bare)
}

func sealedExchange(t *testing.T, f *fixture) {
	s := fullSession(f.clock, "a")
	f.insertSessions(t, s)
	row := store.SealedRow{Realm: s.Realm, ID: s.ID, Sealed: s.Sealed}
	ok(t, f.sealed(t).ResealSession(t.Context(), row, []byte("new")))
	s.Retired = f.clock.Now()
	ok(t, f.Sessions.ExchangeSession(t.Context(), s)) // as it was read before
	s.Version++
	f.holds(t, s)
}

func (f *fixture) sealedKeys(t *testing.T) store.SealedKeys {
	t.Helper()
	s, there := f.SigningKeys.(store.SealedKeys)
	if !there {
		t.Fatal("the store cannot seal signing keys anew")
	}
	return s
}

func sealedKeyAnew(t *testing.T, f *fixture) {
	k, other := signingKey(f.clock, "a"), signingKey(f.clock, "b")
	f.insertSigning(t, k, other)
	ok(t, f.SigningKeys.RaiseSigningKey(t.Context(), "a", time.Hour))
	f.records(t, nil, func() {
		ok(t, f.sealedKeys(t).ResealSigningKey(t.Context(), "a", k.Sealed, []byte("new")))
	})
	k.Sealed, k.Longest = []byte("new"), time.Hour
	want(t, f.signing(t), []store.SigningKey{k, other})
}

func sealedKeyLost(t *testing.T, f *fixture) {
	k := signingKey(f.clock, "a")
	f.insertSigning(t, k)
	refused(t, f.sealedKeys(t).ResealSigningKey(t.Context(), "a", []byte("another"), []byte("new")), auth.Conflict)
	refused(t, f.sealedKeys(t).ResealSigningKey(t.Context(), "b", k.Sealed, []byte("new")), auth.Conflict)
	want(t, f.signing(t), []store.SigningKey{k})
}

func sealedCodes(t *testing.T, f *fixture) {
	for i, realm := range []string{home, home, foreign} {
		a := account("joe" + decimal(int64(i)))
		a.Realm = realm
		ok(t, f.Accounts.InsertAccount(t.Context(), a))
		ok(t, f.Identifiers.InsertIdentifier(t.Context(), store.Identifier{
			ID: decimal(int64(i)), Realm: realm, Account: a.ID, Code: auth.DigestOf(decimal(int64(i))),
		}))
		ok(t, f.Identifiers.InsertIdentifier(t.Context(), store.Identifier{
			ID: "n" + decimal(int64(i)), Realm: realm, Account: a.ID, Name: "till" + decimal(int64(i)), PassCode: auth.NewSecret("$argon2id$x"),
		}))
	}
	n, err := f.sealedKeys(t).CountCodes(t.Context())
	ok(t, err)
	want(t, n, 3)
}
