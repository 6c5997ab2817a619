package session

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// ErrLife is the cause where a login token is to live longer than it may.
var ErrLife = errors.New("a login token may not live that long")

// LoginTokenChange is what to change of a login token.
type LoginTokenChange struct {
	// Associate is the account that a redeem may move the identity to, "" for
	// none; nil stays.
	Associate *string
	// Expires is cut to a second; the zero time stays.
	Expires time.Time
	// Is names what the login token already has to be. The zero value of a
	// member asks nothing.
	Is LoginToken
}

// fits reports whether row is what the change says it is. Dates are compared
// by the second.
func (c LoginTokenChange) fits(row store.Session) bool {
	at := func(want, have time.Time) bool { return want.IsZero() || want.Truncate(time.Second).Equal(have) }
	return (c.Is.ID == "" || c.Is.ID == row.ID) &&
		(c.Is.Identity == "" || c.Is.Identity == row.Identity) &&
		(c.Is.Token.Empty() || auth.DigestOf(c.Is.Token.Reveal()).Equal(row.Digest)) &&
		at(c.Is.Created, row.Issued) && at(c.Is.Updated, row.Updated)
}

// ChangeLoginToken changes the login token of that id if q selects it and the
// caller may see it, and returns it as it is then. Errors:
//
//   - [auth.NotFound] for one that is absent or not the caller's to see
//   - [auth.Malformed] with [auth.ReasonMismatch] for one that is not what c
//     says, with [auth.ReasonExpired] for one that has expired, since none is
//     revived, and with [ErrLife] inside for an end past MaxTTL
//   - [auth.InsufficientScope] for an associate other than the caller; an
//     administrator may name any account, and gets [auth.Malformed] with
//     [auth.ReasonUnknown] where there is none
func (s *Service) ChangeLoginToken(ctx context.Context, p *auth.Principal, id string, q Query, c LoginTokenChange) (LoginToken, error) {
	q.Where = Filter{All: []Filter{q.Where, loginTokenID(id)}}
	q.Page = Page{}
	rows, err := s.changeableLoginTokens(ctx, p, q, c)
	if err != nil {
		return LoginToken{}, err
	}
	if len(rows) == 0 {
		return LoginToken{}, auth.Fail(auth.NotFound, "", nil)
	}
	if s.ended(rows[0]) {
		return LoginToken{}, auth.Fail(auth.Malformed, auth.ReasonExpired, nil)
	}
	tokens, err := s.changeLoginTokens(ctx, rows, c)
	if err == nil && len(tokens) == 0 {
		err = auth.Fail(auth.NotFound, "", nil)
	}
	if err != nil {
		return LoginToken{}, err
	}
	return tokens[0], nil
}

// ChangeLoginTokens changes the login tokens that q selects, as
// [Service.RemoveLoginTokens] removes them, and returns them as they are then.
// Expired ones are left out. All are checked before the first is changed, with
// the errors of [Service.ChangeLoginToken].
func (s *Service) ChangeLoginTokens(ctx context.Context, p *auth.Principal, q Query, c LoginTokenChange) ([]LoginToken, error) {
	rows, err := s.changeableLoginTokens(ctx, p, q, c)
	if err != nil {
		return nil, err
	}
	live := rows[:0]
	for _, row := range rows {
		if !s.ended(row) {
			live = append(live, row)
		}
	}
	return s.changeLoginTokens(ctx, live, c)
}

func loginTokenID(id string) Filter { return Filter{Field: FieldID, Op: Equal, Values: []any{id}} }

// changeableLoginTokens returns the rows that q selects, if the caller may make
// the change at all and it is right for each row that has not expired.
func (s *Service) changeableLoginTokens(ctx context.Context, p *auth.Principal, q Query, c LoginTokenChange) ([]store.Session, error) {
	if c.Associate != nil {
		if err := s.checkAssociate(ctx, p, *c.Associate); err != nil {
			return nil, err
		}
	}
	rows, err := s.selectLoginTokens(ctx, p, q)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if _, err := s.changedLoginToken(row, c); err != nil && !s.ended(row) {
			return nil, err
		}
	}
	return rows, nil
}

// checkAssociate refuses an account that the caller may not name.
func (s *Service) checkAssociate(ctx context.Context, p *auth.Principal, account string) error {
	if account == "" || account == p.Subject {
		return nil
	}
	if !p.HasRole(adminRole) || limited(p) {
		return auth.Fail(auth.InsufficientScope, auth.ReasonSubject, nil)
	}
	_, err := s.own(ctx, p.Realm, account)
	if auth.IsNotFound(err) {
		return auth.Fail(auth.Malformed, auth.ReasonUnknown, nil)
	}
	return err
}

// changedLoginToken returns row as it is after the change.
func (s *Service) changedLoginToken(row store.Session, c LoginTokenChange) (store.Session, error) {
	if !c.fits(row) {
		return row, auth.Fail(auth.Malformed, auth.ReasonMismatch, nil)
	}
	now := s.Now()
	if c.Associate != nil {
		row.Associate = *c.Associate
	}
	if !c.Expires.IsZero() {
		expires := store.Precise(c.Expires).Truncate(time.Second)
		if expires.After(row.Issued.Add(max(s.cfg.MaxTTL, s.cfg.LoginTokenTTL))) {
			return row, auth.Fail(auth.Malformed, auth.ReasonForm, ErrLife)
		}
		row.Expires = expires
		row.Keep = laterOf(expires, store.Precise(now)).Add(loginTokenKept)
	}
	row.Updated = store.Precise(now).Truncate(time.Second)
	return row, nil
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// changeLoginTokens changes rows one by one and leaves out those that are gone
// meanwhile.
func (s *Service) changeLoginTokens(ctx context.Context, rows []store.Session, c LoginTokenChange) ([]LoginToken, error) {
	done := make([]store.Session, 0, len(rows))
	for _, row := range rows {
		next, err := s.changeLoginToken(ctx, row, c)
		if auth.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		done = append(done, next)
	}
	return s.showLoginTokens(done)
}

// changeLoginToken tries again with the row as it is then where the change
// lost against another. One that has expired meanwhile is [auth.NotFound].
func (s *Service) changeLoginToken(ctx context.Context, row store.Session, c LoginTokenChange) (store.Session, error) {
	var err error
	for range changeTries {
		var next store.Session
		if next, err = s.changedLoginToken(row, c); err != nil {
			return row, err
		}
		if err = s.Store.Sessions.ExchangeSession(ctx, next); err == nil {
			return next, nil
		}
		if auth.CodeOf(err) != auth.Conflict {
			break
		}
		var lost error
		row, lost = s.Store.Sessions.Session(ctx, row.Realm, store.SessionRef{ID: row.ID})
		if lost != nil {
			return row, lost
		}
		if s.ended(row) {
			return row, auth.Fail(auth.NotFound, "", nil)
		}
	}
	return row, err
}
