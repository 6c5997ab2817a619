package session

import (
	"context"
	"net/netip"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// attempt runs verify between the counters of the address and the account.
func (s *Service) attempt(ctx context.Context, c claimant, verify func() error) error {
	return s.attemptOn(ctx, s.accountKey(c), (*throttle.Attempt).Succeed, verify)
}

// attemptOn runs verify between the counters of the address and of key, and
// counts how it ended. Both counters are asked before any hash is worked out.
// A failure that is not the caller's counts for nothing. succeed ends an
// attempt on key that went well: with [throttle.Attempt.Release] where many
// accounts share the key.
func (s *Service) attemptOn(ctx context.Context, key throttle.Key, succeed func(*throttle.Attempt), verify func() error) error {
	return s.attemptFrom(ctx, func() error {
		t, err := s.Attempts.Begin(ctx, key, s.cfg.Attempts)
		if err != nil {
			return err
		}
		return count(t, succeed, verify)
	})
}

// attemptFrom runs verify within the counter of the address alone.
func (s *Service) attemptFrom(ctx context.Context, verify func() error) error {
	t, err := s.Attempts.Begin(ctx, throttle.Key{Name: s.addressKey(ctx)}, addressAttempts)
	if err != nil {
		return err
	}
	return count(t, (*throttle.Attempt).Release, verify)
}

// count ends an attempt as verify did.
func count(t *throttle.Attempt, succeed func(*throttle.Attempt), verify func() error) error {
	defer t.Release() // after a panic too: places that are never given up would lock everyone out
	err := verify()
	switch {
	case err == nil:
		succeed(t)
	case auth.CodeOf(err) == auth.InvalidCredential:
		t.Fail()
	}
	return err
}

func (s *Service) addressKey(ctx context.Context) string {
	return "address " + s.cfg.Realm + " " + throttle.AddressKey(Address(ctx))
}

// accountKey names one counter for all spellings of a name, all names of an
// account and all dialects.
func (s *Service) accountKey(c claimant) throttle.Key {
	if c.known {
		return throttle.Key{Name: "account " + s.cfg.Realm + " " + c.ID, Known: true}
	}
	folded, err := store.NameKey(c.name)
	if err != nil {
		folded = auth.DigestOf(c.name).String() // no account has such a name; any one counter will do
	}
	return throttle.Key{Name: "account " + s.cfg.Realm + " " + folded}
}

// admit checks the allow-lists of the account and of the key.
func admit(ctx context.Context, a store.Account, k store.Key) error {
	for _, list := range [][]netip.Prefix{a.Addresses, k.Addresses} {
		if len(list) > 0 && !authn.Contains(list, Address(ctx)) {
			return auth.Fail(auth.InvalidCredential, auth.ReasonAddress, nil)
		}
	}
	return nil
}
