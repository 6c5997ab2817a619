package session

import (
	"context"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// LoginPassword verifies a username (or email, or account id) and password
// and issues a token. Unknown account, wrong password and disabled account
// cost the same work and are all [auth.InvalidCredential].
func (s *Service) LoginPassword(ctx context.Context, username string, password auth.Secret) (Issued, error) {
	c, err := s.claimant(ctx, username)
	var issued Issued
	if err == nil {
		issued, err = s.loginPassword(ctx, c, password)
	}
	s.auditLogin(ctx, c, issued, err)
	return issued, err
}

func (s *Service) loginPassword(ctx context.Context, c claimant, password auth.Secret) (Issued, error) {
	err := s.attempt(ctx, c, func() error { return s.verifyPassword(ctx, c, password) })
	if err != nil {
		return Issued{}, err
	}
	a := s.upgrade(ctx, c.Account, password)
	identity, err := s.loginIdentity(ctx, a)
	if err != nil {
		return Issued{}, err
	}
	issued, err := s.issue(ctx, grant{account: a, identity: identity})
	if err != nil {
		return Issued{}, err
	}
	if err := s.confirm(ctx, a, password, issued); err != nil {
		return Issued{}, err
	}
	_ = s.Store.Accounts.TouchAccount(ctx, a.Realm, a.ID, issued.Issued) // written late; losing one costs nothing
	return issued, nil
}

// claimant is who wants to log in: a name as it was sent, and the account of
// that name where there is one.
type claimant struct {
	name  string
	known bool
	store.Account
}

func (s *Service) claimant(ctx context.Context, name string) (claimant, error) {
	a, err := s.Store.Accounts.Account(ctx, s.cfg.Realm, name)
	if auth.IsNotFound(err) {
		return claimant{name: name}, nil
	}
	return claimant{name: name, known: err == nil, Account: a}, err
}

// verifyPassword does the same work whether or not the account exists, has a
// password or is disabled.
func (s *Service) verifyPassword(ctx context.Context, c claimant, password auth.Secret) error {
	if !c.known || c.Password.Empty() {
		if err := s.Hasher.Decoy(ctx, password); err != nil {
			return err
		}
		return auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	ok, _, err := s.Hasher.Verify(ctx, c.Password, password)
	switch {
	case err != nil:
		return err
	case !ok:
		return auth.Fail(auth.InvalidCredential, auth.ReasonPassword, nil)
	case c.Disabled:
		return auth.Fail(auth.InvalidCredential, auth.ReasonDisabled, nil)
	}
	return admit(ctx, c.Account, store.Key{})
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

// maxAuditName bounds a login name in the audit log in bytes: callers without
// a credential do not choose how long its lines are.
const maxAuditName = 128

func (s *Service) auditLogin(ctx context.Context, c claimant, issued Issued, err error) {
	e := auth.Event{Kind: auth.LoginEvent, Name: cut(c.name), Subject: c.ID}
	if err != nil {
		s.audit(ctx, e.Failed(err))
		return
	}
	e.OK, e.TokenID, e.KeyID = true, issued.ID, issued.Principal.KeyID
	s.audit(ctx, e)
}

// cut shortens a name to [maxAuditName], to whole characters.
func cut(name string) string {
	if len(name) <= maxAuditName {
		return name
	}
	end := maxAuditName
	for end > maxAuditName-utf8.UTFMax && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}
