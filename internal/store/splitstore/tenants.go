package splitstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// tenants are those of the rest, whose sessions are apart.
type tenants struct {
	store.Tenants
	split split
}

// InsertTenant implements [store.Tenants].
func (t tenants) InsertTenant(ctx context.Context, row store.Tenant) error {
	if err := row.Check(); err != nil {
		return err
	}
	err := t.split.clear(ctx, row.Realm, store.SessionMatch{Tenant: row.ID}, func() error {
		_, err := t.Tenant(ctx, row.Realm, row.ID)
		return err
	})
	if err != nil {
		return err
	}
	return t.Tenants.InsertTenant(ctx, row)
}

// DeleteTenant implements [store.Tenants].
func (t tenants) DeleteTenant(ctx context.Context, realm, id string) error {
	return t.split.withKeys(ctx, realm, store.SessionMatch{Tenant: id}, func() error {
		return t.Tenants.DeleteTenant(ctx, realm, id)
	})
}

// units are those of the rest.
type units struct {
	store.Units
	split split
}

// DeleteUnit implements [store.Units]. Nobody who verifies a session looks for
// its unit, so sessions go before it, and those that were issued meanwhile after.
func (u units) DeleteUnit(ctx context.Context, realm, tenant, id string) error {
	if tenant == "" || id == "" {
		return u.Units.DeleteUnit(ctx, realm, tenant, id)
	}
	match := store.SessionMatch{Tenant: tenant, Unit: id}
	if _, err := u.split.apart.RevokeSessions(ctx, realm, match); err != nil {
		return err
	}
	if err := u.Units.DeleteUnit(ctx, realm, tenant, id); err != nil {
		return err
	}
	return u.split.revoke(ctx, realm, match)
}
