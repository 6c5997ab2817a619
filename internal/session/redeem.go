package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Redeem trades a login token for a session of its identity, once: of any
// number of redeems of one token at the same time one wins. id is that of the
// record, or "" for a token that stands alone. With associate the identity
// moves to the account that the record names, where it names one, and the
// session is of that account.
//
// A failure is [auth.InvalidCredential], with [auth.ReasonExpired] for a
// genuine token that came too late, which is then gone. It is no attempt: the
// token has 128 random bits and nobody guesses it.
func (s *Service) Redeem(ctx context.Context, id string, text auth.Secret, associate bool) (Issued, error) {
	row, issued, err := s.tryRedeem(ctx, id, text, associate)
	e := auth.Event{Kind: auth.LoginEvent, Subject: row.Subject, KeyID: row.KeyID}
	if err != nil {
		s.audit(ctx, e.Failed(err))
		return Issued{}, err
	}
	e.OK, e.Subject, e.TokenID = true, issued.Principal.Subject, issued.ID
	s.audit(ctx, e)
	return issued, nil
}

// tryRedeem tries again where the record was changed by another call between
// look-up and exchange. Where it was redeemed, it is not found then.
func (s *Service) tryRedeem(ctx context.Context, id string, text auth.Secret, associate bool) (row store.Session, issued Issued, err error) {
	for range changeTries {
		if row, err = s.redeemable(ctx, id, text); err != nil {
			return row, Issued{}, err
		}
		if issued, err = s.redeem(ctx, row, associate); err == nil || auth.CodeOf(err) != auth.Conflict {
			break
		}
	}
	if err != nil && auth.CodeOf(err) == auth.Conflict {
		err = refusedRedeem(auth.ReasonUnknown)
	}
	return row, issued, unknown(err)
}

func refusedRedeem(reason auth.Reason) error { return auth.Fail(auth.InvalidCredential, reason, nil) }

// redeemable returns the row of a login token that can still be traded. One
// that has expired is removed.
func (s *Service) redeemable(ctx context.Context, id string, text auth.Secret) (store.Session, error) {
	digest := auth.DigestOf(text.Reveal())
	ref := store.SessionRef{Digest: digest}
	if id != "" {
		canonical, ok := token.ParseGUID(id)
		if !ok {
			return store.Session{}, refusedRedeem(auth.ReasonForm)
		}
		ref = store.SessionRef{ID: canonical}
	}
	row, err := s.Store.Sessions.Session(ctx, s.cfg.Realm, ref)
	if err != nil {
		return store.Session{}, unknown(err)
	}
	if row.Kind != store.OneTimeToken || row.Dialect != s.cfg.Dialect || !row.Retired.IsZero() || !row.Digest.Equal(digest) {
		return store.Session{}, refusedRedeem(auth.ReasonUnknown)
	}
	if !s.ended(row) {
		return row, nil
	}
	if _, err := s.revoke(ctx, row, store.SessionMatch{ID: row.ID}); err != nil {
		return row, err
	}
	return row, refusedRedeem(auth.ReasonExpired)
}

func (s *Service) redeem(ctx context.Context, row store.Session, associate bool) (Issued, error) {
	g, err := s.redeemed(ctx, row, associate)
	if err != nil {
		return Issued{}, err
	}
	next, issued, err := s.prepare(ctx, g)
	if err != nil {
		return Issued{}, err
	}
	if err := s.Store.Sessions.ExchangeSession(ctx, s.spent(row), next); err != nil {
		return Issued{}, err
	}
	if err := s.moveIdentity(ctx, g.identity, g.account.ID); err != nil {
		return Issued{}, s.withdraw(ctx, issued, err)
	}
	_ = s.Store.Accounts.TouchAccount(ctx, row.Realm, g.account.ID, issued.Issued) // written late; losing one costs nothing
	return issued, nil
}

// spent returns row as it is once it was traded: absent, by the clock of any
// node, since its end is its beginning.
func (s *Service) spent(row store.Session) store.Session {
	now := store.Precise(s.Now())
	row.Sealed, row.Retired, row.Updated = nil, now, now
	row.Expires, row.Keep = row.Issued, row.Issued
	return row
}

// redeemed returns what the token of row is traded for, if all that it stands
// on is still there: the identity where it was, the accounts enabled, the key
// that obtained it good.
func (s *Service) redeemed(ctx context.Context, row store.Session, associate bool) (grant, error) {
	identity, err := s.Store.Identities.Identity(ctx, row.Realm, row.Identity)
	if err != nil {
		return grant{}, unknown(err)
	}
	if identity.Account != row.Subject {
		return grant{}, refusedRedeem(auth.ReasonSubject)
	}
	g := grant{
		identity: identity, tenant: store.Tenant{ID: row.Tenant}, unit: store.Unit{ID: row.Unit}, scopes: row.Scopes,
	}
	if g.account, err = s.enabled(ctx, row.Realm, row.Subject); err != nil {
		return grant{}, err
	}
	if associate && row.Associate != "" {
		if g.account, err = s.enabled(ctx, row.Realm, row.Associate); err != nil {
			return grant{}, err
		}
	}
	if g.key, err = s.redeemedKey(ctx, row); err != nil {
		return grant{}, err
	}
	return g, admit(ctx, g.account, g.key)
}

// enabled returns an account that may log in.
func (s *Service) enabled(ctx context.Context, realm, id string) (store.Account, error) {
	a, err := s.own(ctx, realm, id)
	if err != nil {
		return a, unknown(err)
	}
	if a.Disabled {
		return a, refusedRedeem(auth.ReasonDisabled)
	}
	return a, nil
}

// redeemedKey returns the key that obtained a login token, the zero value
// where none did.
func (s *Service) redeemedKey(ctx context.Context, row store.Session) (store.Key, error) {
	if row.KeyID == 0 {
		return store.Key{}, nil
	}
	k, err := s.Store.Keys.Key(ctx, row.Realm, row.KeyID)
	if err != nil {
		return k, unknown(err)
	}
	if !s.live(k) {
		return k, refusedRedeem(auth.ReasonRevoked)
	}
	return k, nil
}

// moveIdentity makes an identity lead to an account, unless it has left the
// account that it was found at.
func (s *Service) moveIdentity(ctx context.Context, i Identity, account string) error {
	from := i.Account
	var err error
	for range changeTries {
		if i.Account == account {
			return nil
		}
		i.Account, i.Updated = account, store.Precise(s.Now())
		if err = s.Store.Identities.UpdateIdentity(ctx, i); err == nil || auth.CodeOf(err) != auth.Conflict {
			return err
		}
		var lost error
		if i, lost = s.Store.Identities.Identity(ctx, i.Realm, i.ID); lost != nil {
			return lost
		}
		if i.Account != from && i.Account != account {
			return refusedRedeem(auth.ReasonSubject)
		}
	}
	return err
}
