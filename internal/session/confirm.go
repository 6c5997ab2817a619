package session

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// withdrawTime bounds how long a login that failed may work on after its
// caller has left.
const withdrawTime = 5 * time.Second

// confirm withdraws a token of an account that changed during the login,
// unless the password is right for what the account is now: who changes a
// password or disables an account revokes its tokens, and could not see one
// that was issued a moment later. A change after confirm does see it.
func (s *Service) confirm(ctx context.Context, a store.Account, password auth.Secret, issued Issued) error {
	if wrong := s.stillRight(ctx, a, password); wrong != nil {
		return s.withdraw(ctx, issued, wrong)
	}
	return nil
}

// withdraw takes back a token that nobody was given yet. It returns why, or
// what went wrong with that.
func (s *Service) withdraw(ctx context.Context, issued Issued, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	if _, err := s.Store.Sessions.RevokeSessions(ctx, s.cfg.Realm, store.SessionMatch{ID: issued.ID}); err != nil {
		return err
	}
	return why
}

func (s *Service) stillRight(ctx context.Context, a store.Account, password auth.Secret) error {
	now, err := s.own(ctx, a.Realm, a.ID)
	if auth.IsNotFound(err) {
		return auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	if err != nil || now.Version == a.Version {
		return err
	}
	return s.verifyPassword(ctx, claimant{known: true, Account: now}, password)
}

// own returns an account by its id alone: [auth.NotFound] where the id is no
// account's but is the name of one.
func (s *Service) own(ctx context.Context, realm, id string) (store.Account, error) {
	a, err := s.Store.Accounts.Account(ctx, realm, id)
	if err == nil && a.ID != id {
		return store.Account{}, auth.Fail(auth.NotFound, "", nil)
	}
	return a, err
}
