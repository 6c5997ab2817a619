package session

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// EntityToken is the one token that a user has in an entity.
type EntityToken struct {
	Token auth.Secret
	// ID is the accessor.
	ID              string
	Issued, Expires time.Time
	Flags           []string
}

// entityTries is how often a call starts again that lost against another one
// of the same place.
const entityTries = 16

// errContended is a place that others changed at each of [entityTries].
var errContended = errors.New("the token was changed by others again and again")

// EntityToken returns the token of a place, the same until it is refreshed.
// [auth.NotFound] where there is none; one that has expired is none.
func (s *Service) EntityToken(ctx context.Context, p Place) (EntityToken, error) {
	row, err := s.entityRow(ctx, p)
	if err != nil {
		return EntityToken{}, err
	}
	return s.openEntity(row)
}

// CreateEntityToken makes the token of a place, or returns the one that is
// there. Of callers at the same time all get the same one.
func (s *Service) CreateEntityToken(ctx context.Context, p Place) (EntityToken, error) {
	for range entityTries {
		t, err := s.EntityToken(ctx, p)
		if !auth.IsNotFound(err) {
			return t, err
		}
		t, err = s.makeEntity(ctx, p)
		if err == nil || auth.CodeOf(err) != auth.Conflict {
			return t, err
		}
	}
	return EntityToken{}, auth.Fail(auth.Conflict, "", errContended)
}

// DeleteEntityToken withdraws the token of a place, at once and everywhere,
// and what an overlap has left of older ones. [auth.NotFound] where there is
// none: of two callers at the same time one has it.
func (s *Service) DeleteEntityToken(ctx context.Context, p Place) error {
	row, err := s.entityRow(ctx, p)
	if err != nil {
		return err
	}
	n, err := s.Store.Sessions.RevokeSessions(ctx, row.Realm, store.SessionMatch{Family: row.Family})
	if err != nil {
		return err
	}
	if n == 0 {
		return auth.Fail(auth.NotFound, "", nil)
	}
	s.auditEntity(ctx, auth.RevocationEvent, p, row)
	return nil
}

// entityRow returns the live row of a place.
func (s *Service) entityRow(ctx context.Context, p Place) (store.Session, error) {
	row, err := s.Store.Sessions.Session(ctx, s.cfg.Realm, store.SessionRef{Slot: p.slot()})
	if err == nil && s.ended(row) {
		return store.Session{}, auth.Fail(auth.NotFound, auth.ReasonExpired, nil)
	}
	return row, err
}

func (s *Service) openEntity(row store.Session) (EntityToken, error) {
	text, err := s.unseal(row)
	if err != nil {
		return EntityToken{}, err
	}
	return entityToken(row, text), nil
}

func entityToken(row store.Session, text auth.Secret) EntityToken {
	return EntityToken{Token: text, ID: row.ID, Issued: row.Issued, Expires: row.Expires, Flags: row.Flags}
}

// makeEntity fills an empty place; [auth.Conflict] where it no longer is.
func (s *Service) makeEntity(ctx context.Context, p Place) (EntityToken, error) {
	row, t, err := s.prepareEntity(ctx, p, token.NewID(), nil)
	if err != nil {
		return EntityToken{}, err
	}
	if err := s.Store.Sessions.InsertSession(ctx, row); err != nil {
		return EntityToken{}, err
	}
	if err := s.confirmEntity(ctx, p, row); err != nil {
		return EntityToken{}, err
	}
	s.auditEntity(ctx, auth.LoginEvent, p, row)
	return t, nil
}

// prepareEntity makes a token and the row that holds its place.
func (s *Service) prepareEntity(ctx context.Context, p Place, family string, flags []string) (store.Session, EntityToken, error) {
	row, issued, err := s.prepare(ctx, grant{
		account: store.Account{ID: p.Account}, tenant: store.Tenant{ID: p.Tenant}, kind: store.EntityToken, family: family,
		key: store.Key{ID: p.key}, scopes: p.scopes,
	})
	if err != nil {
		return row, EntityToken{}, err
	}
	row.Slot, row.Flags = p.slot(), flags
	err = s.seal(&row, issued.Token)
	return row, entityToken(row, issued.Token), err
}

// confirmEntity withdraws a token whose maker lost their own while it was
// made: who changes a password revokes the tokens of the account, and could
// not see one that was made a moment later with a stolen user token.
func (s *Service) confirmEntity(ctx context.Context, p Place, row store.Session) error {
	if p.by == nil {
		return nil
	}
	_, lost := s.Store.Sessions.Session(ctx, row.Realm, store.SessionRef{ID: p.by.TokenID})
	if lost == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	if _, err := s.Store.Sessions.RevokeSessions(ctx, row.Realm, store.SessionMatch{ID: row.ID}); err != nil {
		return err
	}
	if auth.IsNotFound(lost) {
		return auth.Fail(auth.InvalidCredential, auth.ReasonRevoked, nil)
	}
	return lost
}

// auditEntity tells of a token that was made or withdrawn, by whom and whose.
func (s *Service) auditEntity(ctx context.Context, kind auth.EventKind, p Place, row store.Session) {
	e := auth.Event{Kind: kind, OK: true, Subject: row.Subject, TokenID: row.ID}
	if p.by != nil {
		e.Name, e.KeyID, e.Credential = p.by.Username, p.by.KeyID, p.by.Credential
	}
	s.audit(ctx, e)
}
