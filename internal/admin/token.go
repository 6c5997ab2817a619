package admin

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Dialect is the dialect of tokens that an operator creates: of none.
const Dialect = "admin"

// DefaultTTL is the life of such a token. Public clients of entity tokens keep
// a user token that long.
const DefaultTTL = 48 * time.Hour

// remembered is for how long such a token that has expired is told from one
// that never was: a client that may be told so logs in again by itself. It may
// come back after days, and such tokens are few.
const remembered = 7 * 24 * time.Hour

// CreateToken makes a token for an account: good in one tenant, or with "" in
// all of the account's. A ttl of 0 is [DefaultTTL].
func (a *Admin) CreateToken(ctx context.Context, account, tenant string, ttl time.Duration) (store.Session, auth.Secret, error) {
	if ttl < 0 {
		return store.Session{}, auth.Secret{}, invalid("a token cannot live for %s", ttl)
	}
	if ttl == 0 {
		ttl = DefaultTTL
	}
	owner, err := a.Account(ctx, account)
	if err != nil {
		return store.Session{}, auth.Secret{}, err
	}
	if owner.Disabled {
		return store.Session{}, auth.Secret{}, refused("the account %q is disabled", account)
	}
	row, text := a.tokenRow(owner, ttl), auth.NewSecret(token.Opaque(token.Random()))
	row.Digest = auth.DigestOf(text.Reveal())
	if row.Tenant, err = a.tenantOf(ctx, owner, tenant); err != nil {
		return row, auth.Secret{}, err
	}
	if err := a.Store.Sessions.InsertSession(ctx, row); err != nil {
		return row, auth.Secret{}, err
	}
	return row, text, nil
}

// tenantOf returns the id of a tenant that an account belongs to, "" for none.
func (a *Admin) tenantOf(ctx context.Context, owner store.Account, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	t, err := a.Tenant(ctx, ref)
	if err != nil {
		return "", err
	}
	return t.ID, a.requireMember(ctx, owner, t)
}

func (a *Admin) tokenRow(owner store.Account, ttl time.Duration) store.Session {
	now := a.now()
	end := store.Precise(now.Add(ttl))
	return store.Session{
		ID: token.NewID(), Realm: a.Realm, Dialect: Dialect, Kind: store.AccessToken, Subject: owner.ID,
		Issued: now, Updated: now, Expires: end, Keep: end.Add(remembered),
	}
}

// Token returns the session of a token by its accessor.
func (a *Admin) Token(ctx context.Context, accessor string) (store.Session, error) {
	row, err := a.Store.Sessions.Session(ctx, a.Realm, store.SessionRef{ID: accessor})
	return row, missingToken(err)
}

// TokenOf returns the session of a token by the token itself. One in the form
// of a GUID is found in either case, as its dialect reads it.
func (a *Admin) TokenOf(ctx context.Context, t auth.Secret) (store.Session, error) {
	text := t.Reveal()
	row, err := a.Store.Sessions.Session(ctx, a.Realm, store.SessionRef{Digest: auth.DigestOf(text)})
	if canonical, ok := token.ParseGUID(text); ok && canonical != text && auth.IsNotFound(err) {
		row, err = a.Store.Sessions.Session(ctx, a.Realm, store.SessionRef{Digest: auth.DigestOf(canonical)})
	}
	return row, missingToken(err)
}

// Live reports whether a token is good by its own row: neither past its time
// nor used up. Its account may be disabled all the same.
func (a *Admin) Live(row store.Session) bool {
	return a.Now().Before(authn.End(row)) && row.Retired.IsZero()
}

// RevokeToken withdraws a token, named by its accessor; with a refresh token
// and an entity token go those that were refreshed from one another with it.
func (a *Admin) RevokeToken(ctx context.Context, accessor string) (store.Session, error) {
	row, err := a.Token(ctx, accessor)
	if err != nil {
		return row, err
	}
	match := store.SessionMatch{ID: row.ID}
	if row.Family != "" && (row.Kind == store.RefreshToken || row.Kind == store.EntityToken) {
		match = store.SessionMatch{Family: row.Family, Dialect: row.Dialect}
	}
	_, err = a.Store.Sessions.RevokeSessions(ctx, a.Realm, match)
	return row, err
}

// RevokeTokens withdraws all tokens of an account and returns how many, those
// left out that had expired and were only remembered.
func (a *Admin) RevokeTokens(ctx context.Context, account string) (int, error) {
	owner, err := a.Account(ctx, account)
	if err != nil {
		return 0, err
	}
	return a.revokeOf(ctx, owner.ID)
}

// RevokeAllTokens withdraws all tokens of the realm and returns how many, as
// [Admin.RevokeTokens] counts: after a store was restored some of them had been
// withdrawn before, and nobody knows which. It goes by their subjects, accounts
// and keys of none, and tells step of each.
func (a *Admin) RevokeAllTokens(ctx context.Context, step func(revoked int)) (n int, err error) {
	revoke := func(subject string) error {
		more, err := a.revokeOf(ctx, subject)
		n += more
		step(n)
		return err
	}
	if err := a.Accounts(ctx, func(owner store.Account) error { return revoke(owner.ID) }); err != nil {
		return n, err
	}
	return n, a.Keys(ctx, "", "", func(k store.Key) error {
		if k.Account != "" {
			return nil
		}
		return revoke(authn.KeySubject(k.ID))
	})
}

// revokeOf withdraws all tokens of a subject.
func (a *Admin) revokeOf(ctx context.Context, subject string) (int, error) {
	_, expired, err := a.Store.Sessions.FindSessions(ctx, a.Realm, store.SessionQuery{
		Where: store.Filter{All: []store.Filter{
			{Field: store.FieldSubject, Op: store.Equal, Values: []any{subject}},
			{Field: store.FieldExpires, Op: store.LessOrEqual, Values: []any{a.now()}},
		}},
		Page: store.Page{Limit: 1},
	})
	if err != nil {
		return 0, err
	}
	n, err := a.Store.Sessions.RevokeSessions(ctx, a.Realm, store.SessionMatch{Subject: subject})
	return max(0, n-expired), err
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
	}, func(row store.Session) error {
		if !a.Live(row) {
			return nil
		}
		return yield(row)
	})
}
