// Package splitstore makes one store of two: sessions in one place, all else in
// another. What the contract has go with an account, a tenant, a unit, a
// membership or a key goes in both.
//
// No transaction spans the two, so the order decides what a crash in between, or
// an outage of the sessions, leaves behind. An account, tenant, membership or key
// goes first where it lives: from then on no session of it is good, since whoever
// verifies one looks for them, and the sessions follow. A call whose second half
// failed is an error, although the first holds. What such a call left behind is
// removed before anything of the same id comes back. A unit is not looked for:
// its sessions go first, and again once it is gone.
//
// The two feeds are both the store's: a change of the rest is in Changes, one of
// a session in SessionChanges, and a cascade is in each.
package splitstore

import (
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Apart is a place for sessions with a feed of its own.
type Apart interface {
	store.Sessions
	store.Changes
	// Close ends it, as [store.Store] has it.
	Close() error
}

// New returns a store that keeps sessions in apart and all else in rest, whose
// own sessions it does not use. Closing it closes both.
func New(rest store.Store, apart Apart) store.Store {
	s := split{rest: rest, apart: apart}
	whole := rest
	whole.Accounts = accounts{rest.Accounts, s}
	whole.Memberships = memberships{rest.Memberships, s}
	whole.Tenants = tenants{rest.Tenants, s}
	whole.Units = units{rest.Units, s}
	whole.Sessions, whole.SessionChanges = apart, apart
	whole.Close = func() error { return errors.Join(apart.Close(), rest.Close()) }
	return whole
}

// split is the two stores.
type split struct {
	rest  store.Store
	apart Apart
}

// revoke removes the sessions that m matches. What led to it is done and cannot
// be taken back, so the end of the caller's patience does not stop it: the
// store of sessions has a timeout of its own.
func (s split) revoke(ctx context.Context, realm string, m store.SessionMatch) error {
	_, err := s.apart.RevokeSessions(context.WithoutCancel(ctx), realm, m)
	return err
}

// clear removes what an interrupted delete may have left of an id that nothing
// has at present. look says whether something has it: then its sessions stay,
// and the insert that follows is a conflict. It looks before it revokes, since
// a revocation is a change even where it removes nothing.
func (s split) clear(ctx context.Context, realm string, m store.SessionMatch, look func() error) error {
	err := look()
	if err == nil {
		return nil
	}
	if !auth.IsNotFound(err) {
		return err
	}
	_, left, err := s.apart.FindSessions(ctx, realm, store.SessionQuery{Where: filter(m), Page: store.Page{Limit: 1}})
	if err != nil || left == 0 {
		return err
	}
	_, err = s.apart.RevokeSessions(ctx, realm, m)
	return err
}

// filter selects what m matches by subject and tenant.
func filter(m store.SessionMatch) store.Filter {
	var all []store.Filter
	for field, value := range map[store.SessionField]string{store.FieldSubject: m.Subject, store.FieldTenant: m.Tenant} {
		if value != "" {
			all = append(all, store.Filter{Field: field, Op: store.Equal, Values: []any{value}})
		}
	}
	return store.Filter{All: all}
}
