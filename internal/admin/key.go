package admin

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// NewKey is an API key to create.
type NewKey struct {
	// Account and Tenant are names or ids; a key has at least one of them or
	// Gateway.
	Account, Tenant   string
	Gateway           bool
	Name, Description string
	// Permissions of 0 is read.
	Permissions auth.Permission
	Scopes      auth.Scope
	// Expires of zero is never.
	Expires   time.Time
	Addresses []netip.Prefix
	// Secret is a key that exists already; empty makes a new one.
	Secret auth.Secret
}

// CreateKey adds an API key and returns it: it is not stored and cannot be
// shown again.
func (a *Admin) CreateKey(ctx context.Context, n NewKey) (store.Key, auth.Secret, error) {
	row, err := a.keyRow(ctx, n)
	if err != nil {
		return row, auth.Secret{}, err
	}
	secret, err := fillSecret(&row, n.Secret)
	if err != nil {
		return row, auth.Secret{}, err
	}
	if row.ID, err = a.Store.Keys.InsertKey(ctx, row); err != nil {
		return row, auth.Secret{}, taken(err, "this key is in use already")
	}
	return row, secret, nil
}

func (a *Admin) keyRow(ctx context.Context, n NewKey) (store.Key, error) {
	row := store.Key{
		Realm: a.Realm, Name: n.Name, Description: n.Description, Gateway: n.Gateway,
		Scopes: n.Scopes, Permissions: n.Permissions, Addresses: n.Addresses,
		Created: a.now(), Expires: store.Precise(n.Expires),
	}
	if row.Permissions == 0 {
		row.Permissions = auth.Read
	}
	if err := a.checkKey(n); err != nil {
		return row, err
	}
	if n.Account == "" {
		return a.ofTenant(ctx, row, n.Tenant)
	}
	owner, err := a.Account(ctx, n.Account)
	if err != nil {
		return row, err
	}
	row.Account = owner.ID
	row.Tenant, err = a.tenantOf(ctx, owner, n.Tenant)
	return row, err
}

// ofTenant makes a key that belongs to no account one of a tenant, where one is
// named.
func (a *Admin) ofTenant(ctx context.Context, row store.Key, tenant string) (store.Key, error) {
	if tenant == "" {
		return row, nil
	}
	t, err := a.Tenant(ctx, tenant)
	row.Tenant = t.ID
	return row, err
}

func (a *Admin) checkKey(n NewKey) error {
	if n.Account == "" && n.Tenant == "" && !n.Gateway {
		return invalid("a key needs an owner: an account, a tenant, or the gateway as a whole")
	}
	if n.Gateway && (n.Account != "" || n.Tenant != "") {
		return invalid("a key of the whole gateway has no other owner")
	}
	if !n.Expires.IsZero() && !n.Expires.After(a.Now()) {
		return invalid("the key would have expired already, at %s", n.Expires.UTC().Format(time.RFC3339))
	}
	return checkNames("scope", n.Scopes)
}

// fillSecret mints a key, or takes one that exists, and notes what may be kept
// of it.
func fillSecret(row *store.Key, given auth.Secret) (auth.Secret, error) {
	secret := given
	if given.Empty() {
		secret, row.Prefix, row.LastFour = token.NewKey()
	} else {
		var err error
		if row.Prefix, row.LastFour, err = token.DescribeKey(given); err != nil {
			return given, err
		}
		if text := given.Reveal(); variety(text) < minVariety || periodic(text) { // as of a code, which nothing slow protects either
			return given, invalid("this key repeats itself: make one from random characters, at least %d different ones", minVariety)
		}
	}
	row.Digest = auth.DigestOf(secret.Reveal())
	return secret, nil
}

// Key returns a key by id.
func (a *Admin) Key(ctx context.Context, id int64) (store.Key, error) {
	row, err := a.Store.Keys.Key(ctx, a.Realm, id)
	return row, missingKey(err, id)
}

// RotateKey makes a new key with the owner, name, scopes, permissions and end of
// an old one, which is good for overlap longer and then no more. Of several
// rotations of one key at once one wins; the others leave nothing behind.
func (a *Admin) RotateKey(ctx context.Context, id int64, overlap time.Duration) (store.Key, auth.Secret, error) {
	old, err := a.Key(ctx, id)
	if err != nil {
		return old, auth.Secret{}, err
	}
	if !a.Good(old) {
		return old, auth.Secret{}, refused("key %d is revoked or expired: create a new one", id)
	}
	next := old
	next.Created, next.LastUsed, next.Version, next.ClientSecret = a.now(), time.Time{}, 0, auth.Digest{}
	secret, err := fillSecret(&next, auth.Secret{})
	if err != nil {
		return next, secret, err
	}
	if next.ID, err = a.Store.Keys.InsertKey(ctx, next); err != nil {
		return next, auth.Secret{}, err
	}
	if err := a.endKey(ctx, old, overlap); err != nil {
		// Nobody has seen the new key: it must not stay good.
		_, undo := a.RevokeKey(context.WithoutCancel(ctx), next.ID)
		return next, auth.Secret{}, errors.Join(taken(err, "key %d was changed at the same time", id), undo)
	}
	return next, secret, nil
}

// Good reports whether a key is neither revoked nor expired.
func (a *Admin) Good(k store.Key) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || a.Now().Before(k.Expires))
}

// endKey ends a key now, or when the overlap is over.
func (a *Admin) endKey(ctx context.Context, k store.Key, overlap time.Duration) error {
	if overlap <= 0 {
		k.Revoked = a.now()
		return a.Store.Keys.UpdateKey(ctx, k)
	}
	end := store.Precise(a.Now().Add(overlap))
	if k.Expires.IsZero() || end.Before(k.Expires) {
		k.Expires = end
	}
	return a.Store.Keys.UpdateKey(ctx, k)
}

// RevokeKey withdraws a key, and with it every token that it obtained. A second
// time finishes what the first may have left.
func (a *Admin) RevokeKey(ctx context.Context, id int64) (store.Key, error) {
	row, err := settle("key "+strconv.FormatInt(id, 10), func() (store.Key, error) {
		row, err := a.Key(ctx, id)
		if err != nil || !row.Revoked.IsZero() {
			return row, err
		}
		row.Revoked = a.now()
		return row, a.Store.Keys.UpdateKey(ctx, row)
	})
	if err != nil {
		return row, err
	}
	_, err = a.Store.Sessions.RevokeSessions(ctx, a.Realm, store.SessionMatch{KeyID: id})
	return row, err
}

// Keys calls yield with each key, of an account or tenant where one is named.
func (a *Admin) Keys(ctx context.Context, account, tenant string, yield func(store.Key) error) error {
	var f store.KeyFilter
	if account != "" {
		row, err := a.Account(ctx, account)
		if err != nil {
			return err
		}
		f.Account = row.ID
	}
	if tenant != "" {
		t, err := a.Tenant(ctx, tenant)
		if err != nil {
			return err
		}
		f.Tenant = t.ID
	}
	return pages(func(p store.Page) ([]store.Key, error) {
		return a.Store.Keys.ListKeys(ctx, a.Realm, f, p)
	}, yield)
}
