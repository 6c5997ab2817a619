package session

import (
	"context"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// Client is an API key that was verified as the client of RFC 6749 section 2.
type Client struct {
	// ID is the key's id in decimal, as it was sent.
	ID string
	// key is zero for an id of no key, account for a key of no account.
	key     store.Key
	account store.Account
	// member is the account in the tenant of the key.
	member store.Membership
}

// subject returns whom the client's tokens speak for, "" for nobody.
func (c Client) subject() string {
	switch {
	case c.key.ID == 0:
		return ""
	case c.key.Account == "":
		return authn.KeySubject(c.key.ID)
	}
	return c.key.Account
}

// username returns the name of the subject.
func (c Client) username() string {
	if c.key.Account == "" {
		return c.subject()
	}
	return c.account.Username
}

// Client verifies the id and the secret of a client: an API key, by its id in
// decimal and the key itself. The secret may come in several spellings, of
// which one must be right: clients disagree on how to encode it.
//
// An unknown id, a wrong secret, a key that is revoked or expired, a disabled
// account and an address off the allow-list are all [auth.InvalidCredential],
// after the same look-ups. Failures count for the address and for the id from
// that address, apart from those of the account: ids are small numbers and no
// secret, and whoever guesses at one should not keep its owner out.
func (s *Service) Client(ctx context.Context, id string, spellings ...auth.Secret) (Client, error) {
	c, err := s.applicant(ctx, id)
	if err == nil {
		err = s.attemptOn(ctx, s.clientKey(ctx, c), (*throttle.Attempt).Succeed, func() error { return s.verifyClient(ctx, c, spellings) })
	}
	if err == nil {
		err = s.enterTenant(ctx, &c)
	}
	if err != nil {
		s.audit(ctx, c.event(auth.LoginEvent).Failed(err))
		return Client{}, err
	}
	_ = s.Store.Keys.TouchKey(ctx, c.key.Realm, c.key.ID, s.Now()) // written late; losing one costs nothing
	return c, nil
}

// applicant looks up the key of that id and an account, whether or not there
// are any.
func (s *Service) applicant(ctx context.Context, id string) (Client, error) {
	c := Client{ID: id}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != id {
		n = 0 // no key's id
	}
	if c.key, err = s.Store.Keys.Key(ctx, s.cfg.Realm, n); err != nil {
		c.key = store.Key{}
		if !auth.IsNotFound(err) {
			return c, err
		}
	}
	owner := c.key.Account
	if owner == "" {
		owner = authn.KeySubject(n) // no account's id
	}
	if c.account, err = s.own(ctx, s.cfg.Realm, owner); auth.IsNotFound(err) {
		return c, nil
	}
	return c, err
}

func (s *Service) clientKey(ctx context.Context, c Client) throttle.Key {
	id := c.ID
	if c.key.ID == 0 {
		id = auth.DigestOf(id).String() // as long as a caller likes
	}
	return throttle.Key{Name: "client " + s.cfg.Realm + " " + throttle.AddressKey(Address(ctx)) + " " + id, Known: c.key.ID != 0}
}

func (s *Service) verifyClient(ctx context.Context, c Client, spellings []auth.Secret) error {
	right := false
	for _, secret := range spellings {
		right = auth.DigestOf(secret.Reveal()).Equal(c.key.Digest) || right
	}
	switch {
	case c.key.ID == 0:
		return auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	case !right:
		return auth.Fail(auth.InvalidCredential, auth.ReasonMismatch, nil)
	case !c.key.Revoked.IsZero():
		return auth.Fail(auth.InvalidCredential, auth.ReasonRevoked, nil)
	case !s.live(c.key):
		return auth.Fail(auth.InvalidCredential, auth.ReasonExpired, nil)
	case c.account.ID != c.key.Account:
		return auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	case c.account.Disabled:
		return auth.Fail(auth.InvalidCredential, auth.ReasonDisabled, nil)
	}
	return admit(ctx, c.account, c.key)
}

// enterTenant refuses a key of an account that has left the key's tenant.
func (s *Service) enterTenant(ctx context.Context, c *Client) error {
	if c.key.Account == "" || c.key.Tenant == "" {
		return nil
	}
	m, ok, err := s.membership(ctx, c.key.Account, c.key.Tenant)
	if err != nil {
		return err
	}
	if !ok {
		return auth.Fail(auth.InvalidCredential, auth.ReasonTenant, nil)
	}
	c.member = m
	return nil
}

// event returns an event about the client.
func (c Client) event(kind auth.EventKind) auth.Event {
	return auth.Event{Kind: kind, Name: cut(c.ID), Subject: c.subject(), KeyID: c.key.ID}
}
