package session

import (
	"context"
	"errors"
	"net/netip"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// LoginPassword verifies a username (or email, or account id) and password
// and issues a token. Unknown account, wrong password and disabled account
// cost the same work and are all [auth.InvalidCredential].
func (s *Service) LoginPassword(ctx context.Context, username string, password auth.Secret) (Issued, error) {
	issued, err := s.loginPassword(ctx, username, password)
	s.auditLogin(ctx, username, issued, err)
	return issued, err
}

func (s *Service) loginPassword(ctx context.Context, username string, password auth.Secret) (Issued, error) {
	a, known, err := s.account(ctx, username)
	if err != nil {
		return Issued{}, err
	}
	if err := s.attempt(ctx, username, a, known, func() error {
		return s.verifyPassword(ctx, a, known, password)
	}); err != nil {
		return Issued{}, err
	}
	a = s.upgrade(ctx, a, password)
	issued, err := s.issue(ctx, a, store.Key{})
	if err != nil {
		return Issued{}, err
	}
	if err := s.confirm(ctx, a, issued); err != nil {
		return Issued{}, err
	}
	_ = s.Store.Accounts.TouchAccount(ctx, a.Realm, a.ID, issued.Issued) // written late; losing one costs nothing
	return issued, nil
}

// account looks up who wants to log in; known is false for nobody.
func (s *Service) account(ctx context.Context, ref string) (a store.Account, known bool, err error) {
	a, err = s.Store.Accounts.Account(ctx, s.cfg.Realm, ref)
	if auth.IsNotFound(err) {
		return store.Account{}, false, nil
	}
	return a, err == nil, err
}

// attempt runs verify between the counters of the address and the account, and
// counts how it ended. Both counters are asked before any hash is worked out.
// A failure that is not the caller's counts for nothing.
func (s *Service) attempt(ctx context.Context, name string, a store.Account, known bool, verify func() error) error {
	byAddress, err := s.Attempts.Begin(ctx, throttle.Key{Name: s.addressKey(ctx)}, addressAttempts)
	if err != nil {
		return err
	}
	byAccount, err := s.Attempts.Begin(ctx, s.accountKey(name, a, known), s.cfg.Attempts)
	if err != nil {
		byAddress.Release()
		return err
	}
	err = verify()
	switch {
	case err == nil:
		byAccount.Succeed()
		byAddress.Release()
	case auth.CodeOf(err) == auth.InvalidCredential:
		byAccount.Fail()
		byAddress.Fail()
	default:
		byAccount.Release()
		byAddress.Release()
	}
	return err
}

func (s *Service) addressKey(ctx context.Context) string {
	return "address " + s.cfg.Realm + " " + throttle.AddressKey(Address(ctx))
}

// accountKey names one counter for all spellings of a name, all names of an
// account and all dialects.
func (s *Service) accountKey(name string, a store.Account, known bool) throttle.Key {
	if known {
		return throttle.Key{Name: "account " + s.cfg.Realm + " " + a.ID, Known: true}
	}
	folded, err := store.NameKey(name)
	if err != nil {
		folded = auth.DigestOf(name).String() // no account has such a name; any one counter will do
	}
	return throttle.Key{Name: "account " + s.cfg.Realm + " " + folded}
}

// verifyPassword does the same work whether or not the account exists, has a
// password or is disabled.
func (s *Service) verifyPassword(ctx context.Context, a store.Account, known bool, password auth.Secret) error {
	if !known || a.Password.Empty() {
		if err := s.Hasher.Decoy(ctx, password); err != nil {
			return err
		}
		return auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	ok, _, err := s.Hasher.Verify(ctx, a.Password, password)
	switch {
	case err != nil:
		return err
	case !ok:
		return auth.Fail(auth.InvalidCredential, auth.ReasonPassword, nil)
	case a.Disabled:
		return auth.Fail(auth.InvalidCredential, auth.ReasonDisabled, nil)
	}
	return admit(ctx, a, store.Key{})
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

// upgrade stores the password under today's parameters when it was stored
// under older ones. It returns the row as it now is; a login does not fail
// because of it.
func (s *Service) upgrade(ctx context.Context, a store.Account, password auth.Secret) store.Account {
	if !s.Hasher.Outdated(a.Password) {
		return a
	}
	hash, err := s.Hasher.Make(ctx, password)
	if err != nil {
		return a
	}
	next := a
	next.Password, next.Updated = hash, store.Precise(s.Now())
	if err := s.Store.Accounts.UpdateAccount(ctx, next); err != nil {
		return a
	}
	next.Version++
	return next
}

// confirm withdraws a token that was issued while the account changed: a
// password that was changed in between must not leave a token behind that the
// change could not see.
func (s *Service) confirm(ctx context.Context, a store.Account, issued Issued) error {
	now, err := s.Store.Accounts.Account(ctx, a.Realm, a.ID)
	if err == nil && now.Version == a.Version {
		return nil
	}
	_, revokeErr := s.Store.Sessions.RevokeSessions(ctx, a.Realm, store.SessionMatch{ID: issued.ID})
	if revokeErr != nil {
		return revokeErr
	}
	if err != nil && !auth.IsNotFound(err) {
		return err
	}
	return auth.Fail(auth.Unavailable, auth.ReasonMismatch, errors.New("the account changed during the login"))
}

func (s *Service) auditLogin(ctx context.Context, name string, issued Issued, err error) {
	e := auth.Event{Kind: auth.LoginEvent, Name: name, OK: err == nil}
	if err == nil {
		e.Subject, e.TokenID, e.KeyID = issued.Principal.Subject, issued.ID, issued.Principal.KeyID
	} else {
		failure := auth.AsError(err)
		e.Code, e.Reason = failure.Code, failure.Reason
	}
	s.audit(ctx, e)
}
