package token

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// rowOf returns the row of a key.
func (b *bench) rowOf(t testing.TB, id string) store.SigningKey {
	t.Helper()
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	for _, row := range b.store.rows {
		if row.ID == id {
			return row
		}
	}
	t.Fatalf("there is no key %q", id)
	return store.SigningKey{}
}

func (b *bench) rotate(t testing.TB, use string) string {
	t.Helper()
	id, err := b.Rotate(t.Context(), use)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func kidOf(t testing.TB, text string) string {
	t.Helper()
	return segmentOf(t, text, 0)["kid"].(string)
}

func TestANewKeySignsAtOnceAndTheOldOneVerifiesUntilItsLastTokenHasExpired(t *testing.T) {
	b := newBench(t)
	long := claims()
	long.Expires = start.Add(30 * 24 * time.Hour)
	last, short := b.sign(t, "default", long), b.sign(t, "default", claims())
	b.clock = start.Add(time.Minute)
	id := b.rotate(t, UseToken)
	c := claims()
	c.Expires = start.Add(60 * 24 * time.Hour)
	fresh := b.sign(t, "default", c)
	if kidOf(t, fresh) != id || kidOf(t, last) == id {
		t.Fatal("the new key does not sign")
	}
	for _, text := range []string{last, short, fresh} {
		b.accepted(t, text)
	}
	b.clock = long.Expires.Add(time.Second - time.Nanosecond)
	b.accepted(t, last)
	b.clock = long.Expires.Add(time.Second)
	b.refused(t, last, auth.ReasonExpired) // by its own exp, not for want of a key
	old := b.rowOf(t, kidOf(t, last))
	if !old.Retired.Equal(start.Add(time.Minute)) || old.Expires.Before(long.Expires) || old.Expires.After(long.Expires.Add(5*time.Minute)) {
		t.Errorf("the old key: retired %v, expires %v", old.Retired, old.Expires)
	}
	b.clock = old.Expires
	b.refused(t, last, auth.ReasonSignature)
	b.accepted(t, fresh)
}

func TestTheLifeOfWhatAKeySignsIsNotedOnce(t *testing.T) {
	b := newBench(t)
	for range 10 {
		b.sign(t, "default", claims())
		c := claims()
		c.Expires = start.Add(time.Minute)
		b.sign(t, "default", c)
	}
	if b.store.raises != 1 {
		t.Errorf("noted %d times", b.store.raises)
	}
	if got := b.store.rows[0].Longest; got < time.Hour || got > time.Hour+2*lifeStep {
		t.Errorf("noted is %v", got)
	}
}

func TestNothingIsSignedWhoseLifeCannotBeNoted(t *testing.T) {
	b := newBench(t)
	b.sign(t, "default", claims())
	b.store.set(func() { b.store.fail = down })
	c := claims()
	c.Expires = start.Add(48 * time.Hour)
	if _, err := b.Sign(t.Context(), "default", c); auth.CodeOf(err) != auth.Unavailable || err == nil {
		t.Errorf("got %v", err)
	}
	b.sign(t, "default", claims()) // what is noted already needs no store
}

// A key that was retired between being read and being raised must not sign a
// token that outlives it.
func TestAKeyRetiredBehindOurBackSignsNothingLonger(t *testing.T) {
	shared := &fakeKeys{}
	now := func() time.Time { return start }
	a, b := NewSigners(shared, ringOf(t, firstKey), now), NewSigners(shared, ringOf(t, firstKey), now)
	for _, s := range []*Signers{a, b} { // both hold the first key
		if _, err := s.Sign(t.Context(), "default", claims()); err != nil {
			t.Fatal(err)
		}
	}
	id, err := a.Rotate(t.Context(), UseToken)
	if err != nil {
		t.Fatal(err)
	}
	c := claims()
	c.Expires = start.Add(48 * time.Hour)
	secret, err := b.Sign(t.Context(), "default", c) // b has not heard of it
	if err != nil {
		t.Fatal(err)
	}
	if kidOf(t, secret.Reveal()) != id {
		t.Error("the retired key signed a token that it does not outlive")
	}
}

func TestAnotherNodeSignsWithTheNewKeyAsSoonAsItHears(t *testing.T) {
	shared := &fakeKeys{}
	clock := start
	now := func() time.Time { return clock }
	a, b := NewSigners(shared, ringOf(t, firstKey), now), NewSigners(shared, ringOf(t, firstKey), now)
	sign := func(s *Signers) string {
		t.Helper()
		secret, err := s.Sign(t.Context(), "default", claims())
		if err != nil {
			t.Fatal(err)
		}
		return secret.Reveal()
	}
	old := kidOf(t, sign(a))
	sign(b)
	id, err := a.Rotate(t.Context(), UseToken)
	if err != nil {
		t.Fatal(err)
	}
	if kidOf(t, sign(b)) != old {
		t.Fatal("it knew before it heard: the test shows nothing")
	}
	b.Forget()
	if kidOf(t, sign(b)) != id {
		t.Error("told, it signs with the old key")
	}
	if id, err = a.Rotate(t.Context(), UseToken); err != nil {
		t.Fatal(err)
	}
	clock = start.Add(KeyRefresh) // where nobody tells
	if kidOf(t, sign(b)) != id {
		t.Error("untold, it signs with the old key after the bound")
	}
}

// What a node signs with the old key before it hears lives as long as it says.
func TestTheLastTokensOfANodeThatHasNotHeardLiveToTheirEnd(t *testing.T) {
	shared := &fakeKeys{}
	clock := start
	now := func() time.Time { return clock }
	a, b := NewSigners(shared, ringOf(t, firstKey), now), NewSigners(shared, ringOf(t, firstKey), now)
	sign := func(s *Signers) (string, Claims) {
		t.Helper()
		c := claims()
		c.Issued, c.Expires = clock, clock.Add(time.Hour-time.Second)
		secret, err := s.Sign(t.Context(), "default", c)
		if err != nil {
			t.Fatal(err)
		}
		return secret.Reveal(), c
	}
	first, _ := sign(b)
	if _, err := a.Rotate(t.Context(), UseToken); err != nil {
		t.Fatal(err)
	}
	clock = start.Add(KeyRefresh - time.Nanosecond)
	last, c := sign(b)
	if kidOf(t, last) != kidOf(t, first) {
		t.Fatal("it has heard: the test shows nothing")
	}
	clock = c.Expires.Add(-time.Nanosecond)
	if _, err := a.Verify(t.Context(), "default", last); err != nil {
		t.Errorf("refused before its end: %v", err)
	}
}

// While keys cannot be read a node does not go on signing with what it knew:
// the key may be retired, and then a token would end before its exp.
func TestKeysThatCouldNotBeReadForTooLongSignNoTokens(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "default", claims())
	b.store.set(func() { b.store.fail = down })
	b.clock = start.Add(signingBound - time.Nanosecond)
	b.sign(t, "default", claims())
	b.clock = start.Add(signingBound)
	if _, err := b.Sign(t.Context(), "default", claims()); err == nil || auth.CodeOf(err) != auth.Unavailable {
		t.Errorf("signed: %v", err)
	}
	b.accepted(t, text) // verifying goes on
	b.store.set(func() { b.store.fail = nil })
	b.clock = b.clock.Add(failCoolDown)
	b.sign(t, "default", claims())
}

func TestOfRotationsAtOnceOneWins(t *testing.T) {
	b := newBench(t)
	b.sign(t, "default", claims())
	first := b.store.rows[0]
	if _, err := b.Signers.rotate(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Signers.rotate(t.Context(), first); auth.CodeOf(err) != auth.Conflict || err == nil {
		t.Errorf("the second: %v", err)
	}
	if _, err := b.Rotate(t.Context(), UseTextDates); !auth.IsNotFound(err) {
		t.Errorf("a use that has no key: %v", err)
	}
}

func TestAKeyThatDoesNotOpenCanBeRotatedAway(t *testing.T) {
	bad := row(t, "HS256", UseToken)
	bad.Sealed = bad.Sealed[1:]
	b := newBench(t, bad)
	if _, err := b.Sign(t.Context(), "default", claims()); err == nil {
		t.Fatal("it signs")
	}
	b.rotate(t, UseToken)
	b.accepted(t, b.sign(t, "default", claims()))
}

// Whoever has another ring than the other nodes must not leave them a key that
// they cannot open.
func TestAKeyOfAnotherRingIsNotRotated(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "default", claims())
	other := NewSigners(b.store, ringOf(t, secondKey), b.now)
	if _, err := other.Rotate(t.Context(), UseToken); auth.CodeOf(err) != auth.Conflict || err == nil || !strings.Contains(err.Error(), "another key ring") {
		t.Errorf("got %v", err)
	}
	b.clock = start.Add(time.Hour - time.Nanosecond)
	_, missing := errors.AsType[*MissingKeyError](other.Tend(t.Context(), time.Minute))
	if !missing || len(b.store.rows) != 1 {
		t.Errorf("on schedule it is not told, or there are %d keys", len(b.store.rows))
	}
	b.accepted(t, text)
}

func TestTheNewestKeySignsAlsoByASlowClock(t *testing.T) {
	ahead := row(t, "HS256", UseToken)
	ahead.Created = start.Add(time.Hour)
	b := newBench(t, ahead)
	id := b.rotate(t, UseToken)
	if kidOf(t, b.sign(t, "default", claims())) != id {
		t.Error("the old key signs")
	}
	if old := b.rowOf(t, ahead.ID); !old.Retired.After(old.Created) || !b.rowOf(t, id).Created.After(old.Created) {
		t.Errorf("the old key was retired at %v, before it was made", old.Retired)
	}
	other := row(t, "HS256", UseToken) // a second one that signs, made by hand
	other.Created = start.Add(2 * time.Hour)
	if err := b.store.InsertSigningKey(t.Context(), other, false); err != nil {
		t.Fatal(err)
	}
	b.Forget()
	id = b.rotate(t, UseToken)
	if kidOf(t, b.sign(t, "default", claims())) != id {
		t.Error("an older key signs")
	}
}

func TestTendRotatesKeysOfAgeAndDeletesThoseThatAreOver(t *testing.T) {
	b := newBench(t)
	b.sign(t, "default", claims())
	first := b.store.rows[0].ID
	tend := func(lifetime time.Duration) {
		t.Helper()
		if err := b.Tend(t.Context(), lifetime); err != nil {
			t.Fatal(err)
		}
	}
	b.clock = start.Add(24*time.Hour - time.Nanosecond)
	tend(24 * time.Hour)
	if len(b.store.rows) != 1 {
		t.Fatal("rotated before its time")
	}
	b.clock = start.Add(24 * time.Hour)
	tend(0)
	if len(b.store.rows) != 1 {
		t.Fatal("rotated though it is off")
	}
	tend(24 * time.Hour)
	if len(b.store.rows) != 2 {
		t.Fatal("not rotated")
	}
	tend(24 * time.Hour)
	if len(b.store.rows) != 2 {
		t.Fatal("rotated twice")
	}
	over := b.rowOf(t, first).Expires
	b.clock = over.Add(-time.Nanosecond)
	tend(0)
	b.rowOf(t, first)
	b.clock = over
	tend(0)
	if len(b.store.rows) != 1 || b.store.rows[0].ID == first {
		t.Errorf("left are %d keys", len(b.store.rows))
	}
}

func TestTendLeavesKeysOfUnknownUsesAndSaysWhatFails(t *testing.T) {
	foreign := row(t, "EdDSA", "licences")
	b := newBench(t, foreign)
	b.clock = start.Add(1000 * time.Hour)
	if err := b.Tend(t.Context(), time.Hour); err != nil || len(b.store.rows) != 1 {
		t.Errorf("%d keys, %v", len(b.store.rows), err)
	}
	b.store.fail = down
	if err := b.Tend(t.Context(), time.Hour); auth.CodeOf(err) != auth.Unavailable {
		t.Errorf("got %v", err)
	}
}

// TestRotationUnderLoad: two nodes sign and verify each other's tokens without
// pause while keys are rotated, deleted and the clock runs on. No token is
// refused, and none is signed by a key that was retired for longer than it
// takes others to hear of it.
func TestRotationUnderLoad(t *testing.T) {
	shared := &fakeKeys{}
	var mu sync.Mutex
	clock := start
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }
	nodes := [2]*Signers{NewSigners(shared, ringOf(t, firstKey), now), NewSigners(shared, ringOf(t, firstKey), now)}
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	// turn signs on one node and verifies on the other.
	turn := func(signs, verifies *Signers) {
		began := now()
		c := claims()
		c.Issued, c.Expires = began, began.Add(time.Minute)
		secret, err := signs.Sign(t.Context(), "default", c)
		if err != nil {
			t.Errorf("not signed: %v", err)
			return
		}
		kid := kidOf(t, secret.Reveal())
		_, err = verifies.Verify(t.Context(), "default", secret.Reveal())
		if err != nil && now().Before(c.Expires) {
			t.Errorf("refused: %v", err)
		}
		shared.mu.Lock()
		defer shared.mu.Unlock()
		for _, row := range shared.rows {
			if row.ID == kid && !row.Retired.IsZero() && began.After(row.Retired.Add(signingBound)) {
				t.Errorf("signed %v after its key was retired", began.Sub(row.Retired))
			}
		}
	}
	var worked [4]chan struct{}
	for i := range worked {
		worked[i] = make(chan struct{})
		done.Go(func() {
			for ctx.Err() == nil {
				turn(nodes[i%2], nodes[(i+1)%2])
				select {
				case worked[i] <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})
	}
	for i := range 150 {
		for _, w := range worked { // everyone is within a turn while keys change
			<-w
		}
		node := nodes[i%2]
		if _, err := node.Rotate(t.Context(), UseToken); err != nil && !auth.IsNotFound(err) && auth.CodeOf(err) != auth.Conflict {
			t.Error(err)
		}
		if err := node.Tend(t.Context(), 0); err != nil {
			t.Error(err)
		}
		mu.Lock()
		clock = clock.Add(2 * time.Second)
		mu.Unlock()
	}
	stop()
	done.Wait()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if n := len(shared.rows); n < 2 || n > 150 {
		t.Errorf("%d keys are left", n)
	}
}
