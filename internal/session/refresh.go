package session

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// refreshTries is how often a refresh is tried: the second time it finds the
// token used or gone.
const refreshTries = 2

// RefreshTokens trades a refresh token for the next tokens of its family, of
// these scopes or, where none are asked for, of those that the family began
// with. A scope beyond those is [auth.InsufficientScope] and costs nothing.
//
// Of any number of calls with one token one wins. Any other, at once or later,
// is a replay, and a replay ends the whole family, the winner's tokens too:
// which of the two callers stole the token is not known (RFC 9700 section
// 4.14.2). Only within the overlap after its first use a token gives another
// pair instead, for clients that repeat a call whose answer was lost.
//
// [auth.InvalidCredential] for a token that is unknown, over, used, another
// client's or no refresh token, and for a client whose roles or scopes are no
// longer what they were when the family began.
func (s *Service) RefreshTokens(ctx context.Context, c Client, refresh auth.Secret, asked auth.Scope) (Tokens, error) {
	t, err := s.refresh(ctx, c, refresh, asked)
	s.auditTokens(ctx, c.event(auth.RefreshEvent), t, err)
	return t, err
}

func (s *Service) refresh(ctx context.Context, c Client, text auth.Secret, asked auth.Scope) (t Tokens, err error) {
	for range refreshTries {
		var old store.Session
		if old, err = s.refreshable(ctx, c, text); err != nil {
			return Tokens{}, err
		}
		if t, err = s.next(ctx, c, old, asked); err == nil {
			return t, nil
		}
		if auth.CodeOf(err) != auth.Conflict {
			break
		}
	}
	if auth.IsNotFound(err) { // the family ended meanwhile
		err = auth.Fail(auth.InvalidCredential, auth.ReasonRevoked, nil)
	}
	return Tokens{}, err
}

// refreshable returns the row of a refresh token of this client, used or not,
// and refuses every other text.
func (s *Service) refreshable(ctx context.Context, c Client, text auth.Secret) (store.Session, error) {
	row, err := s.Store.Sessions.Session(ctx, s.cfg.Realm, store.SessionRef{Digest: auth.DigestOf(text.Reveal())})
	switch {
	case auth.IsNotFound(err):
		return row, auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	case err != nil:
		return row, err
	case row.Kind != store.RefreshToken || row.Dialect != s.cfg.Dialect || row.KeyID != c.key.ID || row.Subject != c.subject():
		return row, auth.Fail(auth.InvalidCredential, auth.ReasonMismatch, nil)
	case row.Expires.Sub(s.Now()) < time.Second: // what lives shorter has no expires_in
		return row, auth.Fail(auth.InvalidCredential, auth.ReasonExpired, nil)
	case s.replays(row):
		if err := s.endFamily(ctx, row); err != nil {
			return row, err // still to be done: the next replay tries again
		}
		return row, auth.Fail(auth.InvalidCredential, auth.ReasonReplayed, nil)
	case !slices.Contains(row.Flags, c.standing()):
		return row, auth.Fail(auth.InvalidCredential, auth.ReasonRevoked, nil)
	}
	return row, nil
}

// replays reports whether a refresh token was used before, and longer ago than
// a client may repeat itself. Clocks differ between nodes and can be set back:
// an overlap that has not begun yet must not last longer for that.
func (s *Service) replays(row store.Session) bool {
	return !row.Retired.IsZero() && s.Now().Sub(row.Retired).Abs() >= s.cfg.Overlap
}

// next makes the tokens that follow a refresh token.
func (s *Service) next(ctx context.Context, c Client, old store.Session, asked auth.Scope) (Tokens, error) {
	scopes, err := narrow(old.Scopes, asked)
	if err != nil {
		return Tokens{}, err
	}
	rows, t, err := s.pair(ctx, c, family{id: old.Family, ends: old.Expires, scopes: old.Scopes}, scopes)
	if err != nil {
		return Tokens{}, err
	}
	if !old.Retired.IsZero() {
		return t, s.branch(ctx, old, rows)
	}
	old.Retired = store.Precise(s.Now())
	old.Updated = old.Retired
	return t, s.Store.Sessions.ExchangeSession(ctx, old, rows...)
}

// branch adds tokens beside those that the first use of old gave. A family
// that ended meanwhile must not live on in them.
func (s *Service) branch(ctx context.Context, old store.Session, rows []store.Session) error {
	if err := s.Store.Sessions.InsertSession(ctx, rows...); err != nil {
		return err
	}
	_, err := s.Store.Sessions.Session(ctx, old.Realm, store.SessionRef{ID: old.ID})
	if auth.IsNotFound(err) {
		return cmp.Or(s.endFamily(ctx, old), err)
	}
	return err
}
