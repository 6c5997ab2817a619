package session

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// LoginToken is a token that is traded once for a session of its identity.
type LoginToken struct {
	ID       string
	Token    auth.Secret
	Identity string
	// Associate is the account that a redeem may move the identity to, "" for
	// none.
	Associate string
	// Created, Updated and Expires are whole seconds, so that clients whose
	// dates have no more can select by what they were shown.
	Created, Updated, Expires time.Time
}

const (
	// loginTokenKept is how long a login token is kept after it has expired,
	// so that it is told apart from one that never was.
	loginTokenKept = 24 * time.Hour
	// maxLoginTokens bounds how many login tokens one call makes.
	maxLoginTokens = 100
)

// CreateLoginTokens makes a login token of the caller's identity for each of
// associates, all or none: each is the account that a redeem may move the
// identity to, "" for none. Errors are those of [Service.IdentityOf] and of
// an associate that is not the caller's to name, see [Service.ChangeLoginToken];
// [auth.Malformed] with [auth.ReasonTooLarge] for more than 100.
//
// What a key limits it limits in the sessions of these tokens too, and they
// die with the key.
func (s *Service) CreateLoginTokens(ctx context.Context, p *auth.Principal, associates ...string) ([]LoginToken, error) {
	if len(associates) > maxLoginTokens {
		return nil, auth.Fail(auth.Malformed, auth.ReasonTooLarge, nil)
	}
	identity, err := s.IdentityOf(ctx, p)
	if err != nil {
		return nil, err
	}
	rows, tokens := make([]store.Session, len(associates)), make([]LoginToken, len(associates))
	for i, associate := range associates {
		if err := s.checkAssociate(ctx, p, associate); err != nil {
			return nil, err
		}
		if rows[i], tokens[i], err = s.loginToken(p, identity, associate); err != nil {
			return nil, err
		}
	}
	if err := s.Store.Sessions.InsertSession(ctx, rows...); err != nil {
		return nil, err
	}
	return tokens, nil
}

// loginToken makes a login token and its row.
func (s *Service) loginToken(p *auth.Principal, identity Identity, associate string) (store.Session, LoginToken, error) {
	row := s.row(grant{
		account: store.Account{ID: p.Subject}, identity: identity, kind: store.OneTimeToken, ttl: s.cfg.LoginTokenTTL, absolute: true,
		key: store.Key{ID: p.KeyID}, tenant: store.Tenant{ID: p.Tenant}, unit: store.Unit{ID: p.Unit}, scopes: p.Scopes,
		family: loginTokenFamily(p),
	})
	row.Associate, row.Keep = associate, row.Expires.Add(loginTokenKept)
	text := auth.NewSecret(token.LowerHex(token.Random()))
	row.Digest = auth.DigestOf(text.Reveal())
	err := s.seal(&row, text)
	return row, showLoginToken(row, text), err
}

// limited reports whether the caller presented an API key, or a token that was
// obtained with one, that may do less than its account. Login tokens of the
// whole account, which the record gives back, would lift that limit.
func limited(p *auth.Principal) bool {
	return p.KeyID != 0 && (p.Permissions != auth.AllPermissions || len(p.Scopes) > 0 || p.Tenant != "")
}

// loginTokenFamily joins the login tokens that one key obtained, so that a
// limited caller can be shown those alone.
func loginTokenFamily(p *auth.Principal) string {
	if p.KeyID == 0 {
		return ""
	}
	return authn.KeySubject(p.KeyID)
}

// LoginTokens returns the page of login tokens that q selects of those that
// the caller may see, and how many those are in all. A caller sees the login
// tokens of their own identity, and with the role admin all; through a
// limited key only those that were obtained with it. Expired ones are among
// them for a day.
func (s *Service) LoginTokens(ctx context.Context, p *auth.Principal, q Query) ([]LoginToken, int, error) {
	var err error
	if q.Where, err = s.visibleLoginTokens(ctx, p, q.Where, adminRole); err != nil {
		return nil, 0, err
	}
	rows, total, err := s.Store.Sessions.FindSessions(ctx, s.cfg.Realm, q)
	if err != nil {
		return nil, 0, err
	}
	tokens, err := s.showLoginTokens(rows)
	return tokens, total, err
}

// visibleLoginTokens narrows a filter to what the caller may see. Whoever has
// the role everyone sees the login tokens of everyone; "" is nobody.
func (s *Service) visibleLoginTokens(ctx context.Context, p *auth.Principal, where Filter, everyone string) (Filter, error) {
	all := []Filter{
		{Field: store.FieldDialect, Op: Equal, Values: []any{s.cfg.Dialect}},
		{Field: store.FieldKind, Op: Equal, Values: []any{string(store.OneTimeToken)}},
		where,
	}
	if limited(p) {
		all = append(all, Filter{Field: store.FieldFamily, Op: Equal, Values: []any{loginTokenFamily(p)}})
	} else if everyone != "" && p.HasRole(everyone) {
		return Filter{All: all}, nil
	}
	identity, err := s.IdentityOf(ctx, p)
	if err != nil {
		return Filter{}, err
	}
	return Filter{All: append(all,
		Filter{Field: FieldIdentity, Op: Equal, Values: []any{identity.ID}},
		Filter{Field: store.FieldSubject, Op: Equal, Values: []any{p.Subject}},
	)}, nil
}

func (s *Service) showLoginTokens(rows []store.Session) ([]LoginToken, error) {
	tokens := make([]LoginToken, len(rows))
	for i, row := range rows {
		text, err := s.unseal(row)
		if err != nil {
			return nil, err
		}
		tokens[i] = showLoginToken(row, text)
	}
	return tokens, nil
}

func showLoginToken(row store.Session, text auth.Secret) LoginToken {
	return LoginToken{
		ID: row.ID, Token: text, Identity: row.Identity, Associate: row.Associate,
		Created: row.Issued, Updated: row.Updated, Expires: row.Expires,
	}
}

// RemoveLoginTokens removes the login tokens that q selects of those that the
// caller may see, and returns them; without a filter those of the caller's own
// identity, for an administrator too. One that is redeemed or removed by
// another call meanwhile is left out.
func (s *Service) RemoveLoginTokens(ctx context.Context, p *auth.Principal, q Query) ([]LoginToken, error) {
	rows, err := s.selectLoginTokens(ctx, p, q)
	if err != nil {
		return nil, err
	}
	removed := make([]store.Session, 0, len(rows))
	for _, row := range rows {
		ok, err := s.revoke(ctx, row, store.SessionMatch{ID: row.ID})
		if err != nil {
			return nil, err
		}
		if ok {
			removed = append(removed, row)
		}
	}
	return s.showLoginTokens(removed)
}

// selectLoginTokens returns the rows that one call is to change or remove:
// those that q selects, where it names no end at most as many as a store
// returns at once. More is [auth.Malformed] with [auth.ReasonTooLarge].
func (s *Service) selectLoginTokens(ctx context.Context, p *auth.Principal, q Query) ([]store.Session, error) {
	everyone := adminRole
	if q.Where.Op == "" && len(q.Where.All) == 0 && len(q.Where.Any) == 0 {
		everyone = "" // no filter at all: an oversight must not reach everyone
	}
	var err error
	if q.Where, err = s.visibleLoginTokens(ctx, p, q.Where, everyone); err != nil {
		return nil, err
	}
	rows, total, err := s.Store.Sessions.FindSessions(ctx, s.cfg.Realm, q)
	if err != nil {
		return nil, err
	}
	if q.Page.Limit == 0 && total > q.Page.Offset+len(rows) {
		return nil, auth.Fail(auth.Malformed, auth.ReasonTooLarge, nil)
	}
	return rows, nil
}
