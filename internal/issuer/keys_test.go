package issuer

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func TestJ24ARotatedKeyIsFoundAndAWithdrawnOneCountsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		one, two := newSigner(t, "k1", "ES256"), newSigner(t, "k2", "ES256")
		old := one.sign(t, one.header(), claims(alpha, nil))
		w.publish(alpha, one.jwk(t))
		_, key := w.accepted(t, old)

		w.pass(CoolDown)
		w.publish(alpha, one.jwk(t), two.jwk(t))
		w.accepted(t, two.sign(t, two.header(), claims(alpha, nil)))
		if _, again := w.accepted(t, old); again != key {
			t.Error("a key that is published still is another one")
		}
		if !key.Holds(w.time().UnixNano()) {
			t.Error("a key that is published still does not hold")
		}

		w.publish(alpha, two.jwk(t))
		w.pass(Refresh)
		key.Use(w.time().UnixNano())
		synctest.Wait()
		if key.Holds(w.time().UnixNano()) {
			t.Error("a key that was withdrawn holds")
		}
		w.refused(t, old, auth.ReasonSignature)
	})
}

// Nobody asked for a while: then the first to ask waits, and no verdict from
// before counts, however short the time since.
func TestJ24AKeyThatWasWithdrawnWhileNobodyAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		one, two := newSigner(t, "k1", "ES256"), newSigner(t, "k2", "ES256")
		old := one.sign(t, one.header(), claims(alpha, map[string]any{"exp": start.Add(100 * time.Hour).Unix()}))
		w.publish(alpha, one.jwk(t))
		_, key := w.accepted(t, old)
		w.publish(alpha, two.jwk(t))
		w.pass(2 * Refresh)
		if key.Holds(w.time().UnixNano()) {
			t.Error("it holds unasked")
		}
		w.refused(t, old, auth.ReasonSignature)
	})
}

func TestJ24AKeyOfTheSameNameIsAnother(t *testing.T) {
	w := newWorld(t)
	one, two := newSigner(t, "k1", "ES256"), newSigner(t, "k1", "ES256")
	w.publish(alpha, one.jwk(t))
	old := one.sign(t, one.header(), claims(alpha, nil))
	_, key := w.accepted(t, old)
	w.publish(alpha, two.jwk(t))
	w.pass(2 * Refresh)
	w.accepted(t, two.sign(t, two.header(), claims(alpha, nil)))
	w.refused(t, old, auth.ReasonSignature)
	if key.Holds(w.time().UnixNano()) {
		t.Error("the replaced key holds")
	}
}

func TestJ24TheLastKeysCountWhileTheIssuerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := newSigner(t, "k1", "ES256")
		text := s.sign(t, s.header(), claims(alpha, map[string]any{"exp": start.Add(1000 * time.Hour).Unix()}))
		w.publish(alpha, s.jwk(t))
		_, key := w.accepted(t, text)
		w.breakWith(down)
		for range 23 {
			w.pass(time.Hour)
			w.accepted(t, text)
			synctest.Wait()
			if !key.Holds(w.time().UnixNano()) {
				t.Fatal("a verdict does not count while the issuer is down")
			}
		}
		unknown := newSigner(t, "k9", "ES256")
		w.unavailable(t, unknown.sign(t, unknown.header(), claims(alpha, nil))) // it may be a new one
		w.pass(time.Hour)
		w.unavailable(t, text)
		if key.Holds(w.time().UnixNano()) {
			t.Error("a verdict outlives the keys")
		}
		w.breakWith(nil)
		w.pass(CoolDown)
		w.accepted(t, text)
	})
}

func TestAnIssuerThatIsDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := newSigner(t, "k1", "ES256")
		w.publish(alpha, s.jwk(t))
		w.breakWith(down)
		text := s.sign(t, s.header(), claims(alpha, nil))
		for range 100 {
			w.unavailable(t, text)
		}
		_, _, err := w.verify(text)
		if e := auth.AsError(err); e.RetryAfter != FailCoolDown || !errors.Is(err, errDown) {
			t.Errorf("got %v, to be tried again after %v", err, e.RetryAfter)
		}
		if n := w.asked[alpha+"/.well-known/openid-configuration"]; n != 1 {
			t.Errorf("asked %d times", n)
		}
		w.breakWith(nil)
		w.unavailable(t, text) // it cools down
		w.pass(FailCoolDown)
		w.accepted(t, text)
	})
}

func TestAThousandUnknownKidsAreOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := newSigner(t, "k1", "ES256")
		w.publish(alpha, s.jwk(t))
		w.accepted(t, s.sign(t, s.header(), claims(alpha, nil)))
		texts := make([]string, 1000)
		for i := range texts {
			head := s.header()
			head["kid"] = "made-up-" + strconv.Itoa(i)
			texts[i] = s.sign(t, head, claims(alpha, nil))
		}
		for round := 1; round <= 3; round++ {
			w.pass(CoolDown)
			var all sync.WaitGroup
			for _, text := range texts {
				all.Go(func() { w.refused(t, text, auth.ReasonSignature) })
			}
			all.Wait()
			if n := w.count(); n != 1+round {
				t.Errorf("round %d: the keys were fetched %d times", round, n)
			}
		}
	})
}

func TestAThousandTokensAtTheStartAreOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := newSigner(t, "k1", "ES256")
		w.publish(alpha, s.jwk(t))
		hold := make(chan struct{})
		w.breakWith(func(r *http.Request) (*http.Response, error) {
			<-hold
			w.breakWith(nil)
			return w.RoundTrip(r)
		})
		text := s.sign(t, s.header(), claims(alpha, nil))
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { w.accepted(t, text) })
		}
		synctest.Wait()
		close(hold)
		all.Wait()
		if n := w.count(); n != 1 {
			t.Errorf("the keys were fetched %d times", n)
		}
	})
}

// A caller who goes away does not end what others wait for, and nobody waits
// for long.
func TestASlowIssuerHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := newSigner(t, "k1", "ES256")
		w.publish(alpha, s.jwk(t))
		w.breakWith(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(5 * time.Second):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			w.breakWith(nil)
			return w.RoundTrip(r)
		})
		u := w.trust.Read(s.sign(t, s.header(), claims(alpha, nil)))
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := w.Verify(gone, u); auth.CodeOf(err) != auth.Unavailable {
			t.Errorf("gone: %v", err)
		}
		began := time.Now()
		if _, _, err := w.Verify(t.Context(), u); auth.CodeOf(err) != auth.Unavailable || time.Since(began) != patience {
			t.Errorf("slow: %v after %v", err, time.Since(began))
		}
		if _, _, err := w.Verify(t.Context(), u); err != nil {
			t.Errorf("the attempt ended with the first who waited: %v", err)
		}
	})
}

func TestAnIssuerThatNeverAnswersIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := newSigner(t, "k1", "ES256")
		w.breakWith(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		began := time.Now()
		for range 4 {
			w.unavailable(t, s.sign(t, s.header(), claims(alpha, nil)))
		}
		if took := time.Since(began); took != fetchTimeout {
			t.Errorf("four callers, one after the other, waited %v", took)
		}
		w.unavailable(t, s.sign(t, s.header(), claims(alpha, nil)))
		if took := time.Since(began); took != fetchTimeout {
			t.Error("a fifth waited too")
		}
	})
}

func TestAPanicWhileFetchingIsAFailure(t *testing.T) {
	w := newWorld(t)
	s := newSigner(t, "k1", "ES256")
	w.breakWith(func(*http.Request) (*http.Response, error) { panic("planted") })
	w.unavailable(t, s.sign(t, s.header(), claims(alpha, nil)))
}

func TestAClosedPoolAsksNobody(t *testing.T) {
	w := newWorld(t)
	s := newSigner(t, "k1", "ES256")
	w.publish(alpha, s.jwk(t))
	w.Close()
	w.unavailable(t, s.sign(t, s.header(), claims(alpha, nil)))
	if len(w.addresses()) > 0 {
		t.Errorf("%v were asked", w.addresses())
	}
}

func TestATokenWithoutAKid(t *testing.T) {
	w := newWorld(t)
	one, two := newSigner(t, "", "ES256"), newSigner(t, "", "ES256")
	nameless := func(s signer) string {
		head := s.header()
		delete(head, "kid")
		return s.sign(t, head, claims(alpha, nil))
	}
	w.publish(alpha, one.jwk(t))
	w.accepted(t, nameless(one))
	w.pass(CoolDown)
	w.publish(alpha, two.jwk(t))
	w.accepted(t, nameless(two)) // its key is new
	w.refused(t, nameless(one), auth.ReasonSignature)
	w.pass(CoolDown)
	w.publish(alpha, one.jwk(t), two.jwk(t))
	other := newSigner(t, "", "ES256")
	w.refused(t, nameless(other), auth.ReasonSignature) // it reads both
	for _, s := range []signer{one, two} {
		w.refused(t, nameless(s), auth.ReasonSignature) // which of them is anyone's guess
	}
	named := one
	named.id = "k1"
	w.refused(t, named.sign(t, named.header(), claims(alpha, nil)), auth.ReasonSignature)
}

func TestAnEmptySetIsTakenAtItsWord(t *testing.T) {
	w := newWorld(t)
	s := newSigner(t, "k1", "ES256")
	w.publish(alpha, s.jwk(t))
	w.accepted(t, s.sign(t, s.header(), claims(alpha, nil)))
	w.publish(alpha)
	w.pass(2 * Refresh)
	w.refused(t, s.sign(t, s.header(), claims(alpha, nil)), auth.ReasonSignature)
}

func TestAClockThatIsSetBackVouchesForNothing(t *testing.T) {
	w := newWorld(t)
	s := newSigner(t, "k1", "ES256")
	w.publish(alpha, s.jwk(t))
	_, key := w.accepted(t, s.sign(t, s.header(), claims(alpha, nil)))
	w.pass(-time.Second)
	if key.Holds(w.time().UnixNano()) {
		t.Error("it holds")
	}
	w.accepted(t, s.sign(t, s.header(), claims(alpha, nil)))
	if n := w.count(); n != 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestKeysInUseAreAskedForAgainWithoutAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := newSigner(t, "k1", "ES256")
		w.publish(alpha, s.jwk(t))
		text := s.sign(t, s.header(), claims(alpha, nil))
		w.accepted(t, text)
		w.pass(Refresh - 1)
		w.accepted(t, text)
		synctest.Wait()
		if n := w.count(); n != 1 {
			t.Errorf("asked %d times before it was due", n)
		}
		w.pass(1)
		hold := make(chan struct{})
		w.breakWith(func(r *http.Request) (*http.Response, error) {
			<-hold
			w.breakWith(nil)
			return w.RoundTrip(r)
		})
		w.accepted(t, text) // the issuer has not answered yet
		close(hold)
		synctest.Wait()
		if n := w.count(); n != 2 {
			t.Errorf("asked %d times when it was due", n)
		}
	})
}
