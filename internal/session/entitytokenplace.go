package session

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Place is where an entity token is: an account in a tenant, both by id.
type Place struct {
	Tenant, Account string
	// by is who asks, nil where nobody was verified.
	by *auth.Principal
	// key is the API key that limits the caller's user token, 0 for one that
	// may do all that its account may; scopes are those of that token.
	key    int64
	scopes auth.Scope
}

// slot is the place in the words of the store. Ids and scopes have no spaces,
// so the parts cannot be taken for others. A limited caller has a place of
// their own, whose token is limited likewise: the one of the account would
// lift the limit, and outlive the key.
func (p Place) slot() string {
	slot := "entity " + p.Tenant + " " + p.Account
	if !p.limited() {
		return slot
	}
	return slot + " " + authn.KeySubject(p.key) + " " + strings.Join(p.scopes, ",")
}

func (p Place) limited() bool { return p.key != 0 || len(p.scopes) > 0 }

// EntityPlace verifies a caller who brings an API key and a user token, and
// returns the place of a user in an entity if the caller may have its token.
// Entity and user are ids or names.
//
// User tokens of every dialect count, and those that an operator made. The
// caller has to be a member of the entity, by a token that is good there, and
// the key has to be one of that entity, of the gateway, or of the caller and of
// no tenant. For another user the caller needs the role admin, there or
// anywhere, and a user token that no API key limits.
//
// [auth.InvalidCredential] for a caller that is not genuine; with
// [auth.ReasonExpired] one whose user token has expired or, then with
// [auth.ErrKey] inside, whose key has. [auth.InsufficientScope] for one who may
// not: an entity that does not exist reads as one that the caller is no member
// of.
// [auth.NotFound] for a user who is no member, which only an admin is told.
func (s *Service) EntityPlace(ctx context.Context, c bearer.Credential, entity, user string) (Place, error) {
	by, err := s.entityCaller(ctx, c)
	if err != nil {
		return Place{}, err
	}
	tenant, err := s.callersEntity(ctx, by, entity)
	if err != nil {
		return Place{}, err
	}
	account, err := s.Store.Accounts.Account(ctx, s.cfg.Realm, user)
	if err != nil && !auth.IsNotFound(err) {
		return Place{}, err
	}
	p := Place{Tenant: tenant, Account: account.ID, by: by}
	if err := s.limitPlace(ctx, &p); err != nil {
		return Place{}, err
	}
	if err == nil && account.ID == by.Subject {
		return p, nil
	}
	if p.limited() {
		return Place{}, auth.Fail(auth.InsufficientScope, auth.ReasonSubject, nil) // no admin through a limited key
	}
	return p, s.adminOf(ctx, by, tenant, account)
}

// entityCaller verifies key and user token, which must both be there: here an
// entity token does not stand in for the user token.
func (s *Service) entityCaller(ctx context.Context, c bearer.Credential) (*auth.Principal, error) {
	if c.Kind != auth.KeyUserToken || c.Key == "" || c.User == "" || c.Token == "" {
		return nil, auth.Fail(auth.InvalidCredential, auth.ReasonMismatch, nil)
	}
	c.Entity = ""
	v, err := s.Resolver.Resolve(ctx, s.cfg.Realm, c)
	if err != nil {
		return nil, foreignKey(err)
	}
	if v.Restricted() && !v.Admits(Address(ctx)) {
		return nil, auth.Fail(auth.InvalidCredential, auth.ReasonAddress, nil)
	}
	return v.Principal, nil
}

// foreignKey tells a good key of an entity that the user token is not good in
// from a bad one: whoever has both may not, but is known.
func foreignKey(err error) error {
	if auth.AsError(err).Reason == auth.ReasonTenant && errors.Is(err, auth.ErrKey) {
		return auth.Fail(auth.InsufficientScope, auth.ReasonTenant, nil)
	}
	return err
}

// callersEntity returns the id of an entity in which token and key are good.
func (s *Service) callersEntity(ctx context.Context, by *auth.Principal, entity string) (string, error) {
	foreign := auth.Fail(auth.InsufficientScope, auth.ReasonTenant, nil)
	t, err := s.Store.Tenants.Tenant(ctx, s.cfg.Realm, entity)
	if auth.IsNotFound(err) {
		return "", foreign
	}
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(by.Tenants, func(ref auth.TenantRef) bool { return ref.ID == t.ID }) {
		return "", foreign
	}
	k, err := s.Store.Keys.Key(ctx, s.cfg.Realm, by.KeyID)
	if auth.IsNotFound(err) {
		return "", auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	if err != nil {
		return "", err
	}
	if k.Tenant != "" && k.Tenant != t.ID {
		return "", foreign
	}
	return t.ID, nil
}

// adminOf reports nil where the caller may have the token of this account, a
// member of the tenant; the zero account is one that does not exist.
func (s *Service) adminOf(ctx context.Context, by *auth.Principal, tenant string, account store.Account) error {
	own, member, err := s.membership(ctx, by.Subject, tenant)
	if err != nil {
		return err
	}
	admin := by.HasRole(adminRole) || member && slices.Contains(own.Roles, adminRole)
	if !admin {
		return auth.Fail(auth.InsufficientScope, auth.ReasonSubject, nil)
	}
	if account.ID == "" || account.Disabled {
		return auth.Fail(auth.NotFound, auth.ReasonSubject, nil)
	}
	if _, member, err = s.membership(ctx, account.ID, tenant); err == nil && !member {
		return auth.Fail(auth.NotFound, auth.ReasonSubject, nil)
	}
	return err
}

// membership returns that of an account in a tenant, where there is one.
func (s *Service) membership(ctx context.Context, account, tenant string) (m store.Membership, ok bool, err error) {
	all, err := s.Store.Memberships.MembershipsOf(ctx, s.cfg.Realm, account)
	i := slices.IndexFunc(all, func(m store.Membership) bool { return m.Tenant == tenant })
	if err != nil || i < 0 {
		return store.Membership{}, false, err
	}
	return all[i], true, nil
}
