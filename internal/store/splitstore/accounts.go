package splitstore

import (
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// accounts are those of the rest, whose sessions are apart.
type accounts struct {
	store.Accounts
	split split
}

// InsertAccount implements [store.Accounts].
func (a accounts) InsertAccount(ctx context.Context, row store.Account) error {
	if err := row.Check(); err != nil {
		return err
	}
	err := a.split.clear(ctx, row.Realm, store.SessionMatch{Subject: row.ID}, func() error {
		_, err := a.Account(ctx, row.Realm, row.ID)
		return err
	})
	if err != nil {
		return err
	}
	return a.Accounts.InsertAccount(ctx, row)
}

// DeleteAccount implements [store.Accounts].
func (a accounts) DeleteAccount(ctx context.Context, realm, id string) error {
	return a.split.withKeys(ctx, realm, store.SessionMatch{Subject: id}, func() error {
		return a.Accounts.DeleteAccount(ctx, realm, id)
	})
}

// memberships are those of the rest.
type memberships struct {
	store.Memberships
	split split
}

// PutMembership implements [store.Memberships]. Where the account was no member
// it starts without sessions there.
func (m memberships) PutMembership(ctx context.Context, row store.Membership) error {
	if err := row.Check(); err != nil {
		return err
	}
	err := m.split.clear(ctx, row.Realm, store.SessionMatch{Subject: row.Account, Tenant: row.Tenant}, func() error {
		return m.member(ctx, row)
	})
	if err != nil {
		return err
	}
	return m.Memberships.PutMembership(ctx, row)
}

// member returns [auth.NotFound] where the account is not in the tenant.
func (m memberships) member(ctx context.Context, row store.Membership) error {
	all, err := m.MembershipsOf(ctx, row.Realm, row.Account)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Tenant == row.Tenant {
			return nil
		}
	}
	return auth.Fail(auth.NotFound, auth.ReasonUnknown, nil)
}

// DeleteMembership implements [store.Memberships].
func (m memberships) DeleteMembership(ctx context.Context, realm, account, tenant string) error {
	err := m.Memberships.DeleteMembership(ctx, realm, account, tenant)
	if err != nil || account == "" || tenant == "" {
		return err
	}
	return m.split.revoke(ctx, realm, store.SessionMatch{Subject: account, Tenant: tenant})
}

// withKeys runs remove, which takes keys along, and then removes the sessions
// that m matches and those that were obtained with such a key.
//
// Which keys went is told by their changes, which the rest hands out before
// remove returns: a list that was read before would lack those made meanwhile.
func (s split) withKeys(ctx context.Context, realm string, m store.SessionMatch, remove func() error) error {
	var touched changedKeys
	cancel := s.rest.Changes.Subscribe(touched.told)
	err := remove()
	cancel()
	if err != nil {
		return err
	}
	errs := []error{s.revoke(ctx, realm, m)}
	for _, id := range touched.of(realm) {
		errs = append(errs, s.revokeDeleted(ctx, realm, id))
	}
	return errors.Join(errs...)
}

// revokeDeleted removes the sessions of a key, unless it is there: another call
// only changed it.
func (s split) revokeDeleted(ctx context.Context, realm string, id int64) error {
	_, err := s.rest.Keys.Key(context.WithoutCancel(ctx), realm, id)
	if !auth.IsNotFound(err) {
		return err
	}
	return s.revoke(ctx, realm, store.SessionMatch{KeyID: id})
}
