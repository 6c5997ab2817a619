package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Identity is a login identity of an account.
type Identity = store.Identity

// passwordIdentity is the type of the identity that an account has from the
// start, as far as dialects know: the one that its password logs in.
const passwordIdentity = "password"

// IdentityOf returns the caller's login identity: the one that their token was
// issued for, or else the oldest of their account, which is made where there
// is none. [auth.InsufficientScope] for a caller that is no account.
func (s *Service) IdentityOf(ctx context.Context, p *auth.Principal) (Identity, error) {
	i, known, err := s.sessionIdentity(ctx, p)
	if known || err != nil {
		return i, err
	}
	a, err := s.own(ctx, p.Realm, p.Subject)
	if auth.IsNotFound(err) {
		return Identity{}, auth.Fail(auth.InsufficientScope, auth.ReasonSubject, nil)
	}
	if err != nil {
		return Identity{}, err
	}
	return s.oldestIdentity(ctx, a)
}

// sessionIdentity returns the identity that the caller's token was issued for.
// One that has moved to another account since is not the caller's any more.
func (s *Service) sessionIdentity(ctx context.Context, p *auth.Principal) (i Identity, known bool, err error) {
	if p.TokenID == "" {
		return i, false, nil
	}
	row, err := s.Store.Sessions.Session(ctx, p.Realm, store.SessionRef{ID: p.TokenID})
	if auth.IsNotFound(err) || err == nil && row.Identity == "" {
		return i, false, nil
	}
	if err != nil {
		return i, false, err
	}
	i, err = s.Store.Identities.Identity(ctx, p.Realm, row.Identity)
	if auth.IsNotFound(err) || err == nil && i.Account != p.Subject {
		return Identity{}, false, nil
	}
	return i, err == nil, err
}

// loginIdentity returns the identity that a login of an account is bound to,
// the zero value where the block's tokens are bound to none.
func (s *Service) loginIdentity(ctx context.Context, a store.Account) (Identity, error) {
	if !s.cfg.Identity {
		return Identity{}, nil
	}
	return s.oldestIdentity(ctx, a)
}

// oldestIdentity makes the first identity of an account where there is none.
// Of two callers that do so one wins, and both return its identity.
func (s *Service) oldestIdentity(ctx context.Context, a store.Account) (Identity, error) {
	i, known, err := s.firstIdentity(ctx, a)
	if known || err != nil {
		return i, err
	}
	now := store.Precise(s.Now())
	i = Identity{ID: token.NewID(), Realm: a.Realm, Account: a.ID, Type: passwordIdentity, Created: now, Updated: now}
	err = s.Store.Identities.InsertIdentity(ctx, i, true)
	if err == nil {
		return i, nil
	}
	if auth.CodeOf(err) != auth.Conflict {
		return Identity{}, err
	}
	i, _, err = s.firstIdentity(ctx, a)
	return i, err
}

func (s *Service) firstIdentity(ctx context.Context, a store.Account) (i Identity, known bool, err error) {
	all, err := s.Store.Identities.IdentitiesOf(ctx, a.Realm, a.ID)
	if err != nil || len(all) == 0 {
		return Identity{}, false, err
	}
	return all[0], true, nil
}
