package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// LoginTenantKey verifies an API key of a tenant and issues a token, bound to
// the tenant and the unit, that dies with the key and has an absolute life. The
// key may also belong to an account, which must be a member. unit is the id of
// a unit of the tenant, "" for the account's default unit there, or none.
//
// All that is wrong is [auth.InvalidCredential], also a key that belongs to no
// tenant: nothing says where it leads. Failures count for the address alone,
// since a key that is not good names nobody.
func (s *Service) LoginTenantKey(ctx context.Context, key auth.Secret, unit string) (Issued, error) {
	g := grant{ttl: s.cfg.KeyTTL, absolute: true}
	err := s.attemptFrom(ctx, func() error { return s.verifyTenantKey(ctx, &g, key, unit) })
	var issued Issued
	if err == nil {
		issued, err = s.issueTenantKey(ctx, g)
	}
	e := auth.Event{Kind: auth.LoginEvent, Subject: g.subject(), KeyID: g.key.ID}
	if err != nil {
		s.audit(ctx, e.Failed(err))
		return Issued{}, err
	}
	e.OK, e.TokenID = true, issued.ID
	s.audit(ctx, e)
	return issued, nil
}

// verifyTenantKey fills in what a good key grants, as far as it gets.
func (s *Service) verifyTenantKey(ctx context.Context, g *grant, key auth.Secret, unit string) error {
	k, err := s.Store.Keys.KeyByDigest(ctx, s.cfg.Realm, auth.DigestOf(key.Reveal()))
	if err != nil {
		return unknown(err)
	}
	g.key, g.scopes = k, k.Scopes
	switch {
	case !k.Revoked.IsZero():
		return auth.Fail(auth.InvalidCredential, auth.ReasonRevoked, nil)
	case !s.live(k):
		return auth.Fail(auth.InvalidCredential, auth.ReasonExpired, nil)
	case k.Tenant == "":
		return misplaced()
	}
	if err := s.keyOwner(ctx, g); err != nil {
		return err
	}
	if g.tenant, err = s.Store.Tenants.Tenant(ctx, s.cfg.Realm, k.Tenant); err != nil {
		return unknown(err)
	}
	usual, err := s.keyMembership(ctx, k)
	if err != nil {
		return err
	}
	g.unit, err = s.unit(ctx, k.Tenant, unit, usual.Unit)
	return err
}

// unknown makes [auth.NotFound] of what a credential names the refusal of that
// credential, and leaves every other error.
func unknown(err error) error {
	if auth.IsNotFound(err) {
		return auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	return err
}

// keyOwner finds the account that a key speaks for; a key of none speaks for
// itself.
func (s *Service) keyOwner(ctx context.Context, g *grant) error {
	if g.key.Account == "" {
		g.account = store.Account{Username: authn.KeySubject(g.key.ID)}
		return admit(ctx, g.account, g.key)
	}
	a, err := s.own(ctx, s.cfg.Realm, g.key.Account)
	if err != nil {
		return unknown(err)
	}
	g.account = a
	if a.Disabled {
		return auth.Fail(auth.InvalidCredential, auth.ReasonDisabled, nil)
	}
	return admit(ctx, a, g.key)
}

// keyMembership returns what the account of a key has in the key's tenant,
// where the key has an account.
func (s *Service) keyMembership(ctx context.Context, k store.Key) (store.Membership, error) {
	if k.Account == "" {
		return store.Membership{}, nil
	}
	m, member, err := s.membership(ctx, k.Account, k.Tenant)
	if err == nil && !member {
		err = misplaced()
	}
	return m, err
}

// issueTenantKey confirms only the unit: whoever resolves the token looks at
// the key, the account and the tenant again.
func (s *Service) issueTenantKey(ctx context.Context, g grant) (Issued, error) {
	issued, err := s.issue(ctx, g)
	if err != nil {
		return Issued{}, err
	}
	if wrong := s.stillThere(ctx, g.tenant.ID, g.unit); wrong != nil {
		return Issued{}, s.withdraw(ctx, issued, wrong)
	}
	_ = s.Store.Keys.TouchKey(ctx, g.key.Realm, g.key.ID, issued.Issued) // written late; losing one costs nothing
	return issued, nil
}
