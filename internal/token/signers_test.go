package token

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// fakeKeys is a store of signing keys that counts and can be broken.
type fakeKeys struct {
	mu    sync.Mutex
	rows  []store.SigningKey
	reads int
	// raises counts calls of RaiseSigningKey.
	raises int
	// fail is what reads and inserts return; hold blocks reads until closed.
	fail error
	hold chan struct{}
	// before runs ahead of an insert, without the lock.
	before func()
}

func (f *fakeKeys) InsertSigningKey(_ context.Context, k store.SigningKey, unlessActive bool) error {
	if f.before != nil {
		f.before()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	for _, row := range f.rows {
		if row.ID == k.ID || unlessActive && row.Use == k.Use && row.Retired.IsZero() {
			return auth.Fail(auth.Conflict, "", nil)
		}
	}
	f.rows = append(f.rows, k)
	f.sort()
	return nil
}

func (f *fakeKeys) sort() {
	slices.SortStableFunc(f.rows, func(a, b store.SigningKey) int { return a.Created.Compare(b.Created) })
}

func (f *fakeKeys) SigningKeys(ctx context.Context) ([]store.SigningKey, error) {
	f.mu.Lock()
	f.reads++
	fail, hold, rows := f.fail, f.hold, slices.Clone(f.rows)
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, auth.Fail(auth.Unavailable, auth.ReasonTimeout, ctx.Err())
		}
	}
	return rows, fail
}

func (f *fakeKeys) UpdateSigningKey(_ context.Context, k store.SigningKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.rows {
		if f.rows[i].ID == k.ID {
			f.rows[i] = k
			return nil
		}
	}
	return auth.Fail(auth.NotFound, "", nil)
}

func (f *fakeKeys) RotateSigningKey(_ context.Context, id string, next store.SigningKey, beyond time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	for i, row := range f.rows {
		if row.ID != id || row.Use != next.Use || !row.Retired.IsZero() {
			continue
		}
		f.rows[i].Retired, f.rows[i].Expires = next.Created, next.Created.Add(row.Longest+beyond)
		f.rows = append(f.rows, next)
		f.sort()
		return nil
	}
	return auth.Fail(auth.Conflict, "", nil)
}

func (f *fakeKeys) RaiseSigningKey(_ context.Context, id string, life time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.raises++
	if f.fail != nil {
		return f.fail
	}
	for i, row := range f.rows {
		if row.ID == id && row.Retired.IsZero() {
			f.rows[i].Longest = max(row.Longest, life)
			return nil
		}
	}
	return auth.Fail(auth.NotFound, "", nil)
}

func (f *fakeKeys) DeleteSigningKey(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = slices.DeleteFunc(f.rows, func(r store.SigningKey) bool { return r.ID == id })
	return nil
}

func (f *fakeKeys) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeKeys) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

var _ store.SigningKeys = (*fakeKeys)(nil)

var (
	start = time.Date(2026, 2, 4, 10, 54, 37, 0, time.UTC)
	down  = auth.Fail(auth.Unavailable, auth.ReasonStore, nil)
)

// bench is signers over a fake store with a clock that the test moves.
type bench struct {
	*Signers
	store *fakeKeys
	clock time.Time
}

func newBench(t testing.TB, rows ...store.SigningKey) *bench {
	b := &bench{store: &fakeKeys{rows: rows}, clock: start}
	b.Signers = NewSigners(b.store, ringOf(t, firstKey), func() time.Time { return b.clock })
	return b
}

// row is a stored key of an algorithm under a new id. RSA keys take long to
// make, so all of theirs share one.
func row(t testing.TB, algorithmName, use string) store.SigningKey {
	t.Helper()
	ring := ringOf(t, firstKey)
	if algorithmName != "RS256" {
		k, err := newSigningKey(algorithmName, use, ring, start)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := store.SigningKey{ID: newKeyID(ring), Algorithm: algorithmName, Use: use, Created: start}
	k.Sealed = seal(t, ring, string(rsaMaterial()), string(bindRow(k)))
	return k
}

var rsaMaterial = sync.OnceValue(func() []byte {
	material, err := generateRSA()
	if err != nil {
		panic(err)
	}
	return material
})

func claims() Claims {
	return Claims{
		ID: "0b4f1b9e-7b0e-4f7e-9d3b-1a2b3c4d5e6f", Subject: "7d0c",
		Issued: start, Expires: start.Add(time.Hour), Extra: map[string]any{"usr": "zoë", "n": 2.0},
	}
}

func (b *bench) sign(t testing.TB, realm string, c Claims) string {
	t.Helper()
	secret, err := b.Sign(t.Context(), realm, c)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal()
}

// refused checks that text is refused for that reason and yields nothing.
func (b *bench) refused(t testing.TB, text string, reason auth.Reason) {
	t.Helper()
	c, err := b.Verify(t.Context(), "default", text)
	if err == nil || auth.CodeOf(err) != auth.InvalidCredential || auth.AsError(err).Reason != reason {
		t.Errorf("%.60q: %v, want %s", text, err, reason)
	}
	if c.ID+c.Subject != "" || c.Extra != nil {
		t.Errorf("%.60q: refused, yet it yields claims", text)
	}
}

func (b *bench) accepted(t testing.TB, text string) Claims {
	t.Helper()
	c, err := b.Verify(t.Context(), "default", text)
	if err != nil {
		t.Fatalf("%.60q: %v", text, err)
	}
	return c
}

func TestSignedTokenVerifies(t *testing.T) {
	for name := range algorithms {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, row(t, name, UseToken))
			text := b.sign(t, "default", claims())
			got, want := b.accepted(t, text), claims()
			if got.ID != want.ID || got.Subject != want.Subject || !got.Issued.Equal(want.Issued) ||
				!got.Expires.Equal(want.Expires) || got.Extra["usr"] != "zoë" || got.Extra["n"] != 2.0 || len(got.Extra) != 2 {
				t.Errorf("claims are %+v", got)
			}
			if !b.Ours(text) {
				t.Error("it is not ours")
			}
		})
	}
}

func TestTokenOnTheWire(t *testing.T) {
	b := newBench(t)
	segments := strings.Split(b.sign(t, "a b", claims()), ".")
	head, _ := base64.RawURLEncoding.DecodeString(segments[0])
	if want := `{"alg":"HS256","kid":"` + b.store.rows[0].ID + `","typ":"JWT"}`; string(head) != want {
		t.Errorf("header %s, want %s", head, want)
	}
	payload, _ := base64.RawURLEncoding.DecodeString(segments[1])
	want := `{"exp":1770206077,"iat":1770202477,"iss":"gatehouse:a%20b","jti":"0b4f1b9e-7b0e-4f7e-9d3b-1a2b3c4d5e6f","n":2,"sub":"7d0c","usr":"zoë"}`
	if string(payload) != want {
		t.Errorf("payload %s\nwant    %s", payload, want)
	}
}

func TestTextDates(t *testing.T) {
	b := newBench(t)
	c := claims()
	c.TextDates = true
	text := b.sign(t, "default", c)
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if !strings.Contains(string(payload), `"exp":"1770206077","iat":"1770202477"`) {
		t.Errorf("payload %s", payload)
	}
	got := b.accepted(t, text)
	if !got.TextDates || !got.Expires.Equal(c.Expires) || !got.Issued.Equal(c.Issued) {
		t.Errorf("claims are %+v", got)
	}
	b.clock = c.Expires.Add(time.Second)
	b.refused(t, text, auth.ReasonExpired)
	if len(b.store.rows) != 1 || b.store.rows[0].Use != UseTextDates {
		t.Error("text dates are not signed with a key of their own")
	}
}

// TestExpiryHasTheSecondThatItBegins: what follows the cut second is the
// session's to say.
func TestExpiryHasTheSecondThatItBegins(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "default", claims())
	b.clock = start.Add(time.Hour + time.Second - time.Nanosecond)
	b.accepted(t, text)
	b.clock = start.Add(time.Hour + time.Second)
	b.refused(t, text, auth.ReasonExpired)
	b.clock = start.Add(100 * 365 * 24 * time.Hour)
	b.refused(t, text, auth.ReasonExpired)
}

func TestDatesAreAsFarApartAsTheTokenLives(t *testing.T) {
	for lives, want := range map[time.Duration]time.Duration{
		20 * time.Second:                       20 * time.Second,
		2 * time.Hour:                          2 * time.Hour,
		20*time.Second + 100*time.Millisecond:  21 * time.Second,
		20*time.Second + 99*time.Millisecond:   20 * time.Second,
		time.Millisecond:                       time.Second, // never none
		time.Second - 100*time.Millisecond:     time.Second,
		time.Second + 100*time.Millisecond - 1: time.Second,
	} {
		b := newBench(t)
		c := claims()
		c.Issued = start.Add(900 * time.Millisecond)
		c.Expires = c.Issued.Add(lives)
		got := b.accepted(t, b.sign(t, "default", c))
		if !got.Issued.Equal(start) || !got.Expires.Equal(start.Add(want)) {
			t.Errorf("%v: issued %v, expires %v", lives, got.Issued, got.Expires)
		}
	}
}

func TestIssueInTheFuture(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "default", claims())
	b.clock = start.Add(-clockSkew)
	b.accepted(t, text)
	b.clock = start.Add(-clockSkew - time.Nanosecond)
	b.refused(t, text, auth.ReasonForm)
}

func TestTokenOfAnotherRealm(t *testing.T) {
	b := newBench(t)
	for _, realm := range []string{"", "Default", "default ", "default/", "defaul", "defaultx", "gatehouse:default", "ｄefault"} {
		b.refused(t, b.sign(t, realm, claims()), auth.ReasonUnknown)
	}
	expired := b.sign(t, "other", claims())
	b.clock = start.Add(2 * time.Hour)
	b.refused(t, expired, auth.ReasonUnknown) // expired is said of our own only
}

func TestSignRefusesClaims(t *testing.T) {
	for name, spoil := range map[string]func(*Claims){
		"no id":                    func(c *Claims) { c.ID = "" },
		"no subject":               func(c *Claims) { c.Subject = "" },
		"no expiry":                func(c *Claims) { c.Expires = time.Time{} },
		"an expiry at the issue":   func(c *Claims) { c.Expires = c.Issued },
		"an expiry past all years": func(c *Claims) { c.Expires = time.Unix(maxDate+1, 0) },
		"a registered claim":       func(c *Claims) { c.Extra = map[string]any{"aud": "x"} },
		"what is not JSON":         func(c *Claims) { c.Extra = map[string]any{"x": make(chan int)} },
		"more than 8 KiB":          func(c *Claims) { c.Extra = map[string]any{"x": strings.Repeat("x", MaxJWT)} },
	} {
		t.Run(name, func(t *testing.T) {
			c := claims()
			spoil(&c)
			secret, err := newBench(t).Sign(t.Context(), "default", c)
			if err == nil || auth.CodeOf(err) != auth.Internal || !secret.Empty() {
				t.Errorf("signed: %v", err)
			}
		})
	}
}

func TestTwoNodesAgreeOnTheFirstKey(t *testing.T) {
	shared := &fakeKeys{}
	var both sync.WaitGroup
	both.Add(2) // both nodes saw an empty store before either inserts
	shared.before = func() { both.Done(); both.Wait() }
	now := func() time.Time { return start }
	nodes := [2]*Signers{NewSigners(shared, ringOf(t, firstKey), now), NewSigners(shared, ringOf(t, firstKey), now)}
	var texts [2]string
	var done sync.WaitGroup
	for i, n := range nodes {
		done.Go(func() {
			secret, err := n.Sign(t.Context(), "default", claims())
			if err != nil {
				t.Error(err)
			}
			texts[i] = secret.Reveal()
		})
	}
	done.Wait()
	if len(shared.rows) != 1 {
		t.Fatalf("the store has %d keys", len(shared.rows))
	}
	for i, n := range nodes {
		if _, err := n.Verify(t.Context(), "default", texts[1-i]); err != nil {
			t.Errorf("node %d refuses the other's token: %v", i, err)
		}
	}
}

func TestManyFirstCallersMakeOneKey(t *testing.T) {
	b := newBench(t)
	var done sync.WaitGroup
	for range 16 {
		done.Go(func() {
			if _, err := b.Sign(t.Context(), "default", claims()); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if len(b.store.rows) != 1 || b.store.reads > 2 {
		t.Errorf("%d keys, %d reads", len(b.store.rows), b.store.reads)
	}
}

func TestKeysAreSealedAtRest(t *testing.T) {
	b := newBench(t)
	b.sign(t, "default", claims())
	secret := b.set.Load().active[UseToken].pair.sign.([]byte)
	if strings.Contains(string(b.store.rows[0].Sealed), string(secret)) || len(secret) != 32 {
		t.Error("the signing key is in the row")
	}
}

func TestRotation(t *testing.T) {
	b := newBench(t)
	old := b.sign(t, "default", claims())
	retired := b.store.rows[0]
	next := row(t, "EdDSA", UseToken)
	next.Created = start.Add(time.Second)
	if err := b.store.InsertSigningKey(t.Context(), next, false); err != nil {
		t.Fatal(err)
	}
	retired.Retired, retired.Expires = start.Add(time.Second), start.Add(30*time.Minute)
	if err := b.store.UpdateSigningKey(t.Context(), retired); err != nil {
		t.Fatal(err)
	}
	b.clock = start.Add(KeyRefresh)
	fresh := b.sign(t, "default", claims())
	if strings.Split(fresh, ".")[0] != header("EdDSA", next.ID, typeJWT) {
		t.Error("the newest key does not sign")
	}
	b.accepted(t, old)
	b.accepted(t, fresh)
	b.clock = retired.Expires
	b.refused(t, old, auth.ReasonSignature)
	b.accepted(t, fresh)
}

func TestKeyOfAnotherNodeIsFoundAtOnce(t *testing.T) {
	shared := &fakeKeys{}
	now := func() time.Time { return start }
	a, b := NewSigners(shared, ringOf(t, firstKey), now), NewSigners(shared, ringOf(t, firstKey), now)
	if _, err := b.Verify(t.Context(), "default", forge(header("HS256", newKeyID(b.ring), typeJWT), "{}", nil)); err == nil {
		t.Fatal("accepted")
	}
	secret, err := a.Sign(t.Context(), "default", claims())
	if err != nil {
		t.Fatal(err)
	}
	if !b.Ours(secret.Reveal()) {
		t.Error("a token of the other node is not ours")
	}
	if _, err := b.Verify(t.Context(), "default", secret.Reveal()); err != nil {
		t.Errorf("refused, though the miss a moment before was of another kid: %v", err)
	}
}

func TestForgedKidsAskNoStore(t *testing.T) {
	b := newBench(t)
	other := ringOf(t, secondKey)
	for range 100 {
		text := forge(header("HS256", newKeyID(other), typeJWT), "{}", nil)
		b.refused(t, text, auth.ReasonSignature)
		if b.Ours(text) {
			t.Fatal("a kid of another ring is ours")
		}
	}
	if b.store.count() != 0 {
		t.Errorf("the store was asked %d times", b.store.count())
	}
}

func TestDeletedKeysAskTheStoreOncePerCoolDown(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "default", claims())
	_ = b.store.DeleteSigningKey(t.Context(), b.store.rows[0].ID)
	b.clock = start.Add(KeyRefresh)
	b.refused(t, text, auth.ReasonSignature) // read because it was time
	before := b.store.count()
	for range 50 {
		b.refused(t, text, auth.ReasonSignature)
	}
	if n := b.store.count() - before; n > 1 {
		t.Errorf("the store was asked %d times", n)
	}
	b.clock = b.clock.Add(missCoolDown)
	b.refused(t, text, auth.ReasonSignature)
	if n := b.store.count() - before; n < 1 || n > 2 {
		t.Errorf("after the cool-down the store was asked %d times in all", n)
	}
}

func TestStoreOutOfReachIsNotTheCallersFault(t *testing.T) {
	good := newBench(t)
	text := good.sign(t, "default", claims())
	b := newBench(t, good.store.rows...)
	b.store.fail = down
	unavailable := func(what string, err error) {
		t.Helper()
		if err == nil || auth.CodeOf(err) != auth.Unavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := b.Verify(t.Context(), "default", text)
	unavailable("verify", err)
	_, err = b.Sign(t.Context(), "default", claims())
	unavailable("sign", err)
	if b.store.count() != 1 {
		t.Errorf("the store was asked %d times within the cool-down", b.store.count())
	}
	b.refused(t, "a.b.c", auth.ReasonSignature) // this one needs no store to be refused
	b.store.set(func() { b.store.fail = nil })
	b.clock = start.Add(failCoolDown)
	b.accepted(t, text)
}

func TestKnownKeysOutliveTheStore(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "default", claims())
	b.store.set(func() { b.store.fail = down })
	b.clock = start.Add(KeyRefresh)
	before := b.store.count()
	for range 10 {
		b.accepted(t, text)
	}
	if n := b.store.count() - before; n != 1 {
		t.Errorf("the store was asked %d times within the cool-down", n)
	}
}

func TestReadingAgainDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		text := b.sign(t, "default", claims())
		b.clock = start.Add(KeyRefresh)
		hold := make(chan struct{})
		b.store.set(func() { b.store.hold = hold })
		go func() { b.accepted(t, text) }()
		synctest.Wait() // the reader hangs in the store
		b.accepted(t, text)
		close(hold)
		synctest.Wait()
	})
}

func TestWaitingEndsWithTheCallersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := newBench(t)
		text := good.sign(t, "default", claims())
		b := newBench(t, good.store.rows...)
		hold := make(chan struct{})
		b.store.set(func() { b.store.hold = hold })
		var first error
		go func() {
			_, first = b.Verify(t.Context(), "default", text)
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.Verify(ctx, "default", text)
		if auth.CodeOf(cmp.Or(err, errors.New("no error"))) != auth.Unavailable {
			t.Errorf("the second caller: %v", err)
		}
		close(hold)
		synctest.Wait()
		if first != nil {
			t.Errorf("the first caller: %v", first)
		}
	})
}

func TestFirstCallerWhoLeavesSpoilsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := newBench(t)
		text := good.sign(t, "default", claims())
		b := newBench(t, good.store.rows...)
		b.store.set(func() { b.store.hold = make(chan struct{}) })
		ctx, cancel := context.WithCancel(t.Context())
		var first error
		go func() { _, first = b.Verify(ctx, "default", text) }()
		synctest.Wait() // it hangs in the store
		cancel()
		synctest.Wait()
		if auth.CodeOf(cmp.Or(first, errors.New("no error"))) != auth.Unavailable {
			t.Errorf("the caller who left: %v", first)
		}
		b.store.set(func() { b.store.hold = nil })
		b.accepted(t, text)
	})
}

func TestRetiredKeysSignNoMore(t *testing.T) {
	old := row(t, "HS256", UseToken)
	old.Retired, old.Expires = start, start.Add(time.Hour)
	b := newBench(t, old)
	text := b.sign(t, "default", claims())
	if len(b.store.rows) != 2 || strings.HasPrefix(text, header("HS256", old.ID, typeJWT)) {
		t.Error("a retired key signed")
	}
	b.accepted(t, text)
}

func TestKeyThatDoesNotOpenIsNoForgery(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*store.SigningKey)
		code  auth.Code
	}{
		"sealed under another ring": {func(r *store.SigningKey) {
			r.Sealed = seal(t, ringOf(t, secondKey), strings.Repeat("k", 32), string(bindRow(*r)))
		}, auth.Unavailable},
		"a secret that is too short": {func(r *store.SigningKey) {
			r.Sealed = seal(t, ringOf(t, firstKey), "short", string(bindRow(*r)))
		}, auth.Internal},
		"bytes that were changed": {func(r *store.SigningKey) { r.Sealed[20] ^= 1 }, auth.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			good := newBench(t)
			text := good.sign(t, "default", claims())
			bad := good.store.rows[0]
			bad.Sealed = slices.Clone(bad.Sealed)
			c.spoil(&bad)
			b := newBench(t, bad)
			if _, err := b.Verify(t.Context(), "default", text); err == nil || auth.CodeOf(err) != c.code || !errors.Is(err, ErrUnusable) {
				t.Errorf("verify: %v", err)
			}
			if _, err := b.Sign(t.Context(), "default", claims()); err == nil || auth.CodeOf(err) != c.code {
				t.Errorf("sign: %v", err)
			}
			if len(b.store.rows) != 1 {
				t.Error("another key was made in its place")
			}
		})
	}
}

func TestRowsCannotBeRelabelled(t *testing.T) {
	for name, relabel := range map[string]func(*store.SigningKey){
		"another algorithm": func(r *store.SigningKey) { r.Algorithm = "HS256" },
		"another use":       func(r *store.SigningKey) { r.Use = UseToken },
		"another id":        func(r *store.SigningKey) { r.ID = newKeyID(ringOf(t, firstKey)) },
		"unknown algorithm": func(r *store.SigningKey) { r.Algorithm = "XS256" },
	} {
		t.Run(name, func(t *testing.T) {
			r := row(t, "EdDSA", UseTextDates)
			relabel(&r)
			c := claims()
			c.TextDates = r.Use == UseTextDates
			if _, err := newBench(t, r).Sign(t.Context(), "default", c); err == nil || auth.CodeOf(err) != auth.Internal {
				t.Errorf("sign: %v", err)
			}
		})
	}
}

func TestTwoKeysWithOneIDAreRefused(t *testing.T) { // J09
	r := row(t, "HS256", UseToken)
	if _, err := newBench(t, r, r).Sign(t.Context(), "default", claims()); err == nil || auth.CodeOf(err) != auth.Internal {
		t.Errorf("sign: %v", err)
	}
}

func TestKeyParsersRefuseWeakAndForeignKeys(t *testing.T) {
	material := map[string][]byte{"junk": []byte("junk"), "nothing": nil}
	for name, alg := range algorithms {
		m, err := alg.generate()
		if err != nil {
			t.Fatal(err)
		}
		material[name] = m
	}
	for name, alg := range algorithms {
		for of, m := range material {
			if _, err := alg.parse(m); (err == nil) != (of == name) {
				t.Errorf("%s takes the key of %s: %v", name, of, err)
			}
		}
	}
}

func TestKeyParsersRefuseSmallKeys(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa1024, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, private := range map[string]any{"ES256": p384, "RS256": rsa1024} {
		material, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := algorithms[name].parse(material); err == nil {
			t.Errorf("%s takes a key of another size", name)
		}
	}
}

func TestAlgorithmNamesHaveOneLength(t *testing.T) { // keyIDOf relies on it
	for name, alg := range algorithms {
		if len(name) != len(DefaultAlgorithm) || alg.method.Alg() != name {
			t.Errorf("%s is %s", name, alg.method.Alg())
		}
	}
}

func TestOursIsCheap(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "default", claims())
	for what, text := range map[string]string{
		"a token of ours":  text,
		"an opaque token":  Opaque(Random()),
		"a JWT of another": "eyJhbGciOiJSUzI1NiIsImtpZCI6Ijk4NzY1NCIsInR5cCI6IkpXVCJ9.e30.c2ln",
		"a long text":      strings.Repeat("x.", MaxJWT),
	} {
		if n := testing.AllocsPerRun(100, func() { b.Ours(text) }); n != 0 {
			t.Errorf("%s costs %v allocations", what, n)
		}
	}
	if b.store.count() != 2 { // both of them by Sign
		t.Errorf("the store was asked %d times", b.store.count())
	}
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func BenchmarkVerify(b *testing.B) {
	for _, name := range []string{"HS256", "EdDSA", "ES256", "RS256"} {
		b.Run(name, func(b *testing.B) {
			s := newBench(b, row(b, name, UseToken))
			text := s.sign(b, "default", claims())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(b.Context(), "default", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
