package admin

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Dialect is the dialect of tokens that an operator creates: of none.
const Dialect = "admin"

// DefaultTTL is the life of such a token. Public clients of entity tokens keep
// a user token that long.
const DefaultTTL = 48 * time.Hour

// CreateToken makes a token for an account: good in one tenant, or with "" in
// all of the account's.
func (a *Admin) CreateToken(ctx context.Context, account, tenant string, ttl time.Duration) (store.Session, auth.Secret, error) {
	if ttl < 0 {
		return store.Session{}, auth.Secret{}, invalid("the life of a token is longer than %s", ttl)
	}
	if ttl == 0 {
		ttl = DefaultTTL
	}
	owner, err := a.Account(ctx, account)
	if err != nil {
		return store.Session{}, auth.Secret{}, err
	}
	if owner.Disabled {
		return store.Session{}, auth.Secret{}, invalid("account %q is disabled", account)
	}
	row, text := a.tokenRow(owner, ttl), auth.NewSecret(token.Opaque(token.Random()))
	row.Digest = auth.DigestOf(text.Reveal())
	if tenant != "" {
		m, err := a.membership(ctx, tenant, "")
		if err != nil {
			return row, text, err
		}
		row.Tenant = m.Tenant
		if err := a.checkMember(ctx, store.Key{Account: owner.ID, Tenant: m.Tenant}, NewKey{Account: account, Tenant: tenant}); err != nil {
			return row, auth.Secret{}, err
		}
	}
	return row, text, a.Store.Sessions.InsertSession(ctx, row)
}

func (a *Admin) tokenRow(owner store.Account, ttl time.Duration) store.Session {
	now := a.now()
	end := store.Precise(now.Add(ttl))
	return store.Session{
		ID: token.NewID(), Realm: a.Realm, Dialect: Dialect, Kind: store.AccessToken, Subject: owner.ID,
		Issued: now, Updated: now, Expires: end, Keep: end,
	}
}

// Token returns the session of a token, named by its accessor or by itself.
func (a *Admin) Token(ctx context.Context, ref string) (store.Session, error) {
	row, err := a.Store.Sessions.Session(ctx, a.Realm, store.SessionRef{ID: ref})
	if !auth.IsNotFound(err) {
		return row, err
	}
	row, err = a.Store.Sessions.Session(ctx, a.Realm, store.SessionRef{Digest: auth.DigestOf(ref)})
	return row, missingToken(err)
}

// RevokeToken withdraws a token, named by its accessor or by itself.
func (a *Admin) RevokeToken(ctx context.Context, ref string) (store.Session, error) {
	row, err := a.Token(ctx, ref)
	if err != nil {
		return row, err
	}
	_, err = a.Store.Sessions.RevokeSessions(ctx, a.Realm, store.SessionMatch{ID: row.ID})
	return row, err
}

// RevokeTokens withdraws all tokens of an account and returns how many.
func (a *Admin) RevokeTokens(ctx context.Context, account string) (int, error) {
	owner, err := a.Account(ctx, account)
	if err != nil {
		return 0, err
	}
	return a.Store.Sessions.RevokeSessions(ctx, a.Realm, store.SessionMatch{Subject: owner.ID})
}

// Tokens calls yield with each live token, newest first, of an account where
// one is named.
func (a *Admin) Tokens(ctx context.Context, account string, yield func(store.Session) error) error {
	all := []store.Filter{{Field: store.FieldExpires, Op: store.Greater, Values: []any{a.now()}}}
	if account != "" {
		owner, err := a.Account(ctx, account)
		if err != nil {
			return err
		}
		all = append(all, store.Filter{Field: store.FieldSubject, Op: store.Equal, Values: []any{owner.ID}})
	}
	order := []store.Order{{Field: store.FieldIssued, Descending: true}, {Field: store.FieldID}}
	return pages(func(p store.Page) ([]store.Session, error) {
		rows, _, err := a.Store.Sessions.FindSessions(ctx, a.Realm, store.SessionQuery{
			Where: store.Filter{All: all}, Order: order, Page: p,
		})
		return rows, err
	}, yield)
}
