package session

import (
	"context"
	"net/netip"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// attempt runs verify between the counters of the address and the account, and
// counts how it ended. Both counters are asked before any hash is worked out.
// A failure that is not the caller's counts for nothing.
func (s *Service) attempt(ctx context.Context, c claimant, verify func() error) error {
	byAddress, err := s.Attempts.Begin(ctx, throttle.Key{Name: s.addressKey(ctx)}, addressAttempts)
	if err != nil {
		return err
	}
	defer byAddress.Release() // after a panic too: places that are never given up would lock everyone out
	byAccount, err := s.Attempts.Begin(ctx, s.accountKey(c), s.cfg.Attempts)
	if err != nil {
		return err
	}
	defer byAccount.Release()
	err = verify()
	if err == nil {
		byAccount.Succeed()
		return nil
	}
	if auth.CodeOf(err) == auth.InvalidCredential {
		byAccount.Fail()
		byAddress.Fail()
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
