package session

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// EntityTokenChange is what is changed of an entity token; a nil member stays.
type EntityTokenChange struct {
	Expires *time.Time
	// Flags replace all that were there.
	Flags *[]string
}

// ChangeEntityToken changes the token of a place. An end that has passed
// withdraws it. [auth.NotFound] where there is no token, [auth.Malformed] for
// an end later than the longest life from now.
func (s *Service) ChangeEntityToken(ctx context.Context, p Place, c EntityTokenChange) error {
	if c.Expires != nil {
		end := store.Precise(*c.Expires)
		if end.After(s.Now().Add(s.maxTTL())) {
			return auth.Fail(auth.Malformed, auth.ReasonForm, errors.New("the end is later than the longest life"))
		}
		if !s.Now().Before(end) {
			return s.DeleteEntityToken(ctx, p)
		}
		c.Expires = &end
	}
	for range entityTries {
		row, err := s.entityRow(ctx, p)
		if err != nil || c == (EntityTokenChange{}) {
			return err
		}
		err = s.Store.Sessions.ExchangeSession(ctx, s.changed(row, c))
		if err == nil {
			return s.cutOverlap(ctx, row.Family, c)
		}
		if !lost(err) {
			return err
		}
	}
	return auth.Fail(auth.Conflict, "", errContended)
}

// changed returns the row with c applied.
func (s *Service) changed(row store.Session, c EntityTokenChange) store.Session {
	row.Updated = store.Precise(s.Now())
	if c.Expires != nil {
		row.Expires, row.Keep = *c.Expires, *c.Expires
	}
	if c.Flags != nil {
		row.Flags = *c.Flags
	}
	return row
}

// maxTTL is the longest life that a caller may ask for.
func (s *Service) maxTTL() time.Duration {
	if s.cfg.MaxTTL == 0 {
		return s.cfg.TTL
	}
	return s.cfg.MaxTTL
}

// cutOverlap withdraws older tokens of a family that would outlive the one
// whose end was just changed: what ends a token ends all that stand beside it.
func (s *Service) cutOverlap(ctx context.Context, family string, c EntityTokenChange) error {
	if c.Expires == nil {
		return nil
	}
	later := store.SessionQuery{Where: store.Filter{All: []store.Filter{
		{Field: store.FieldFamily, Op: store.Equal, Values: []any{family}},
		{Field: store.FieldExpires, Op: store.Greater, Values: []any{*c.Expires}},
	}}}
	for {
		rows, _, err := s.Store.Sessions.FindSessions(ctx, s.cfg.Realm, later)
		if err != nil {
			return err
		}
		n, err := s.revokeUnplaced(ctx, rows)
		if err != nil || n == 0 {
			return err
		}
	}
}

// revokeUnplaced withdraws those of the rows that hold no place any more and
// returns how many.
func (s *Service) revokeUnplaced(ctx context.Context, rows []store.Session) (n int, err error) {
	for _, row := range rows {
		if row.Slot != "" {
			continue
		}
		revoked, err := s.Store.Sessions.RevokeSessions(ctx, row.Realm, store.SessionMatch{ID: row.ID})
		if err != nil {
			return n, err
		}
		n += revoked
	}
	return n, nil
}

// RefreshEntityToken replaces the token of a place by a new one of the same
// flags with a full new life. old is the token that is to be refreshed, "" for
// whichever is there. [auth.NotFound] where there is no token,
// [auth.InvalidCredential] where old is another one or a refresh at the same
// time was faster: of any number of them one wins.
func (s *Service) RefreshEntityToken(ctx context.Context, p Place, old string) (EntityToken, error) {
	var meant auth.Digest
	if old != "" {
		meant = auth.DigestOf(old)
	}
	for range entityTries {
		row, err := s.entityRow(ctx, p)
		if err != nil {
			return EntityToken{}, err
		}
		if meant.IsZero() {
			meant = row.Digest
		}
		if !row.Digest.Equal(meant) {
			return EntityToken{}, auth.Fail(auth.InvalidCredential, auth.ReasonMismatch, nil)
		}
		t, err := s.rotateEntity(ctx, p, row)
		if err == nil || !lost(err) {
			return t, err
		}
	}
	return EntityToken{}, auth.Fail(auth.Conflict, "", errContended)
}

// rotateEntity moves the place of a row to a new token. The row stays without
// a place for the overlap, and never longer than either token lives.
func (s *Service) rotateEntity(ctx context.Context, p Place, row store.Session) (EntityToken, error) {
	next, t, err := s.prepareEntity(ctx, p, row.Family, row.Flags)
	if err != nil {
		return EntityToken{}, err
	}
	end := next.Issued.Add(s.cfg.Overlap)
	for _, limit := range []time.Time{row.Expires, next.Expires} {
		if limit.Before(end) {
			end = limit
		}
	}
	row.Slot, row.Sealed, row.Updated, row.Expires, row.Keep = "", nil, next.Issued, end, end
	if err := s.Store.Sessions.ExchangeSession(ctx, row, next); err != nil {
		return EntityToken{}, err
	}
	s.auditEntity(ctx, auth.LoginEvent, p, next)
	return t, nil
}

// lost reports whether an exchange failed because another was faster.
func lost(err error) bool {
	return auth.CodeOf(err) == auth.Conflict || auth.IsNotFound(err)
}
