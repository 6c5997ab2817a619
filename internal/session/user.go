package session

import (
	"context"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// changeTries is how often a change of the profile is tried again when it lost
// against another.
const changeTries = 3

// User returns the caller's account. [auth.NotFound] for a caller that is no
// account.
func (s *Service) User(ctx context.Context, p *auth.Principal) (User, error) {
	a, err := s.own(ctx, p.Realm, p.Subject)
	if err != nil {
		return User{}, err
	}
	return s.describe(ctx, a)
}

// ChangeUser changes the caller's account and returns what is stored then.
// [auth.Conflict] where the email is taken, [auth.Malformed] where it is none.
func (s *Service) ChangeUser(ctx context.Context, p *auth.Principal, c ProfileChange) (User, error) {
	var err error
	for range changeTries {
		var a store.Account
		if a, err = s.own(ctx, p.Realm, p.Subject); err != nil {
			return User{}, err
		}
		if err = apply(&a, c); err != nil {
			return User{}, err
		}
		a.Updated = store.Precise(s.Now())
		if err = s.Store.Accounts.UpdateAccount(ctx, a); err == nil {
			return s.describe(ctx, a)
		}
		if auth.CodeOf(err) != auth.Conflict {
			break
		}
	}
	return User{}, err
}

func apply(a *store.Account, c ProfileChange) error {
	if c.Email != nil {
		if *c.Email != "" && !validEmail(*c.Email) {
			return auth.Fail(auth.Malformed, auth.ReasonForm, nil)
		}
		a.Email = *c.Email
	}
	if c.Profile != nil {
		c.Profile(&a.Profile)
	}
	for _, changed := range c.Settings {
		applySetting(a.Settings, changed)
	}
	return nil
}

// applySetting changes the value of a setting that exists and may be changed;
// a caller neither adds settings nor changes what they are.
func applySetting(all []Setting, changed Setting) {
	for i := range all {
		if all[i].ID == changed.ID && !all[i].ReadOnly {
			all[i].Value = changed.Value
		}
	}
}

// validEmail asks for no more than an address needs to be told from a username.
func validEmail(text string) bool {
	at := strings.LastIndexByte(text, '@')
	if at < 1 || at == len(text)-1 {
		return false
	}
	_, err := store.NameKey(text)
	return err == nil
}

func (s *Service) describe(ctx context.Context, a store.Account) (User, error) {
	keys, err := s.Store.Keys.ListKeys(ctx, a.Realm, store.KeyFilter{Account: a.ID}, store.Page{})
	if err != nil {
		return User{}, err
	}
	u := User{
		ID: a.ID, Username: a.Username, Email: a.Email, Roles: a.Roles,
		Created: a.Created, Updated: a.Updated, LastLogin: a.LastLogin,
		Profile: a.Profile, Settings: a.Settings,
	}
	for _, k := range keys {
		u.Keys = append(u.Keys, Key{
			ID: k.ID, Name: k.Name, Description: k.Description, Shown: k.Prefix + "…" + k.LastFour,
			Owner: k.Account, Created: k.Created, Expires: k.Expires,
			Revoked: !k.Revoked.IsZero(), Permissions: k.Permissions,
		})
	}
	return u, nil
}
