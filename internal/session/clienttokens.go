package session

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Tokens is an access token and, where its Token is not empty, the refresh
// token beside it.
type Tokens struct{ Access, Refresh Issued }

// family is a line of tokens that are refreshed from one another. It ends at
// one instant, however often it is refreshed. The zero family is no line: an
// access token alone.
type family struct {
	id     string
	ends   time.Time
	scopes auth.Scope
}

// ClientTokens issues tokens to a client for itself (RFC 6749 section 4.4), of
// these scopes or, where none are asked for, of all of its key's. They die with
// the key. A scope that the key lacks is [auth.InsufficientScope].
func (s *Service) ClientTokens(ctx context.Context, c Client, asked auth.Scope) (Tokens, error) {
	t, err := s.clientTokens(ctx, c, asked)
	s.auditTokens(ctx, c.event(auth.LoginEvent), t, err)
	return t, err
}

func (s *Service) clientTokens(ctx context.Context, c Client, asked auth.Scope) (Tokens, error) {
	scopes, err := narrow(c.key.Scopes, asked)
	if err != nil {
		return Tokens{}, err
	}
	f := family{scopes: scopes}
	if s.cfg.RefreshTTL > 0 {
		f.id, f.ends = token.NewID(), store.Precise(s.Now().Add(s.cfg.RefreshTTL))
	}
	rows, t, err := s.pair(ctx, c, f, scopes)
	if err != nil {
		return Tokens{}, err
	}
	if err := s.Store.Sessions.InsertSession(ctx, rows...); err != nil {
		return Tokens{}, err
	}
	return t, nil
}

// narrow returns the scopes that are asked for, which must be among those that
// there are; all of them where none are asked for.
func narrow(all, asked auth.Scope) (auth.Scope, error) {
	if len(asked) == 0 {
		return all, nil
	}
	for _, name := range asked {
		if !all.Has(name) {
			return nil, auth.Fail(auth.InsufficientScope, auth.ReasonScope, nil)
		}
	}
	return asked, nil
}

// pair makes the next tokens of a family and the rows that they become good
// with. No token outlives the family.
func (s *Service) pair(ctx context.Context, c Client, f family, scopes auth.Scope) ([]store.Session, Tokens, error) {
	g := grant{
		account: c.account, key: c.key, tenant: store.Tenant{ID: c.key.Tenant},
		scopes: scopes, family: f.id, ttl: s.cfg.TTL, absolute: true,
	}
	left := f.ends.Sub(s.Now())
	if f.id != "" {
		g.ttl = min(g.ttl, left)
	}
	row, access, err := s.prepare(ctx, g)
	if err != nil || f.id == "" {
		return []store.Session{row}, Tokens{Access: access}, err
	}
	g.kind, g.scopes, g.ttl = store.RefreshToken, f.scopes, left
	next, refresh, err := s.prepare(ctx, g)
	next.Expires, next.Keep, next.Flags = f.ends, f.ends, []string{c.standing()}
	refresh.Expires = f.ends
	return []store.Session{row, next}, Tokens{Access: access, Refresh: refresh}, err
}

// standing sums up what a client is granted beside the scopes of a token: a
// refresh token is good for as long as that stays as it is. The permissions of
// a key cannot change.
func (c Client) standing() string {
	text, _ := json.Marshal([][]string{ // strings always marshal
		slices.Sorted(slices.Values(c.account.Roles)),
		slices.Sorted(slices.Values(c.member.Roles)),
		slices.Sorted(slices.Values(c.key.Scopes)),
	})
	sum := auth.DigestOf(string(text))
	return "standing:" + hex.EncodeToString(sum[:16])
}

func (s *Service) auditTokens(ctx context.Context, e auth.Event, t Tokens, err error) {
	if err != nil {
		s.audit(ctx, e.Failed(err))
		return
	}
	e.OK, e.TokenID = true, t.Access.ID
	s.audit(ctx, e)
}

// JWKS returns the public keys that verify the JWTs issued here, as a JWK set.
func (s *Service) JWKS(ctx context.Context) ([]byte, error) {
	if s.cfg.JWT && s.cfg.Access != nil {
		// So that whoever fetches the set before the first token knows its key.
		if err := s.Signers.Prepare(ctx, *s.cfg.Access); err != nil {
			return nil, err
		}
	}
	return s.Signers.JWKS(ctx)
}
