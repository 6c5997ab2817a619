package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// attemptTenant verifies between the counters that the way to log in has.
func (s *Service) attemptTenant(ctx context.Context, c tenantClaim) (unit store.Unit, err error) {
	verify := func() (err error) {
		unit, err = s.verifyTenant(ctx, c)
		return err
	}
	if !c.login.Code.Empty() {
		err = s.attemptOn(ctx, s.codeKey(ctx, c), (*throttle.Attempt).Release, verify)
		return unit, err
	}
	err = s.attempt(ctx, c.claimant, verify)
	return unit, err
}

// codeKey counts the authentication codes that one address tries in one
// tenant: a code names no account before it is right. A right one does not
// clear the counter, or whoever has one could guess all others.
func (s *Service) codeKey(ctx context.Context, c tenantClaim) throttle.Key {
	tenant := c.tenant.ID
	if tenant == "" {
		folded, err := store.TenantKey(c.login.Tenant)
		if err != nil {
			folded = auth.DigestOf(c.login.Tenant).String() // no tenant has such a name; any one counter will do
		}
		tenant = folded
	}
	return throttle.Key{Name: "code " + s.cfg.Realm + " " + throttle.AddressKey(Address(ctx)) + " " + tenant}
}
