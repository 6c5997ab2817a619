package session

import (
	"cmp"
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// place returns the unit that a login leads to: the zero value for none. It
// takes the same look-ups whatever is unknown. [auth.InvalidCredential] with
// [auth.ReasonTenant] where the account is no member of the tenant, or the
// unit is not one of it.
func (s *Service) place(ctx context.Context, c tenantClaim) (store.Unit, error) {
	m, member, err := s.membership(ctx, c.ID, c.tenant.ID)
	if err != nil {
		return store.Unit{}, err
	}
	unit, err := s.unit(ctx, c.tenant.ID, c.login.Unit, m.Unit)
	if err == nil && !member {
		return store.Unit{}, misplaced()
	}
	return unit, err
}

func misplaced() error { return auth.Fail(auth.InvalidCredential, auth.ReasonTenant, nil) }

// unit returns the unit of a tenant that was asked for, or else the usual one,
// both by id. One that was asked for must be there: [auth.InvalidCredential]
// else. A usual one that is gone is none.
func (s *Service) unit(ctx context.Context, tenant, asked, usual string) (store.Unit, error) {
	id := cmp.Or(asked, usual, nobody)
	u, err := s.Store.Units.Unit(ctx, s.cfg.Realm, tenant, id)
	if err != nil && !auth.IsNotFound(err) {
		return store.Unit{}, err
	}
	if err == nil && u.ID == id {
		return u, nil
	}
	if asked != "" {
		return store.Unit{}, misplaced()
	}
	return store.Unit{}, nil
}

// stillThere refuses a unit that was deleted since it was looked up: what its
// deletion revoked were the tokens of before.
func (s *Service) stillThere(ctx context.Context, tenant string, unit store.Unit) error {
	if unit.ID == "" {
		return nil
	}
	_, err := s.unit(ctx, tenant, unit.ID, "")
	return err
}
