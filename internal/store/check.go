package store

import (
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// The Check methods say which rows no store takes, so that all of them refuse
// the same ones: a row without what it is found by, and text that some engine
// cannot keep as it is (NUL, broken UTF-8), which another would cut short.

// Check returns [auth.Malformed] for an account without id, realm or username,
// whose names [NameKey] refuses, or with more roles than [auth.CheckCount] takes.
func (a Account) Check() error {
	if err := required(a.ID, a.Realm, a.Username); err != nil {
		return err
	}
	for _, name := range []string{a.ID, a.Username, a.Email} {
		if name == "" {
			continue
		}
		if _, err := NameKey(name); err != nil {
			return err
		}
	}
	for _, s := range a.Settings {
		if err := text(s.Category, s.Group, s.Name, s.Value, s.Type, s.Description); err != nil {
			return err
		}
	}
	if err := names(a.Roles); err != nil {
		return err
	}
	return a.Profile.check()
}

func (p Profile) check() error {
	return text(p.PhoneNumber, p.Title, p.FirstName, p.LastName, p.Department, p.Address,
		p.PostalCode, p.Region, p.City, p.Country, p.CountryCode, p.Mobile, p.Notes)
}

// Check returns [auth.Malformed] for a membership without realm, account or
// tenant, or with more roles than [auth.CheckCount] takes.
func (m Membership) Check() error {
	if err := required(m.Realm, m.Account, m.Tenant); err != nil {
		return err
	}
	if err := text(m.Unit); err != nil {
		return err
	}
	return names(m.Roles)
}

// Check returns [auth.Malformed] for a tenant without id, realm or name, or
// whose names [TenantKey] refuses.
func (t Tenant) Check() error {
	if err := required(t.Realm); err != nil {
		return err
	}
	return foldable(t.ID, t.Name)
}

// Check returns [auth.Malformed] for a unit without id, realm, tenant or name,
// or whose names [TenantKey] refuses.
func (u Unit) Check() error {
	if err := required(u.Realm, u.Tenant); err != nil {
		return err
	}
	return foldable(u.ID, u.Name)
}

// Check returns [auth.Malformed] for an identity without id, realm or account.
func (i Identity) Check() error {
	if err := required(i.ID, i.Realm, i.Account); err != nil {
		return err
	}
	return text(i.Type)
}

// Check returns [auth.Malformed] for an identifier without id, realm or
// account, whose name [NameKey] refuses, or that is not exactly one of a code
// and a name with its pass code.
func (i Identifier) Check() error {
	if err := required(i.ID, i.Realm, i.Account); err != nil {
		return err
	}
	named := i.Name != ""
	if named == i.PassCode.Empty() || named != i.Code.IsZero() {
		return malformed()
	}
	if !named {
		return nil
	}
	if _, err := NameKey(i.Name); err != nil {
		return err
	}
	return text(i.PassCode.Reveal())
}

// Check returns [auth.Malformed] for a key without realm or digest, or with more
// scopes than [auth.CheckCount] takes.
func (k Key) Check() error {
	if err := required(k.Realm); err != nil {
		return err
	}
	if k.Digest.IsZero() {
		return malformed()
	}
	if err := names(k.Scopes); err != nil {
		return err
	}
	return text(k.Prefix, k.LastFour, k.Name, k.Description, k.Account, k.Tenant)
}

// Check returns [auth.Malformed] for a session without id, realm, digest or
// end, that would go before it expires, or with more scopes than
// [auth.CheckCount] takes.
func (s Session) Check() error {
	if err := required(s.ID, s.Realm); err != nil {
		return err
	}
	if s.Digest.IsZero() || s.Expires.IsZero() || Precise(s.Keep).Before(Precise(s.Expires)) {
		return malformed()
	}
	if err := names(s.Scopes); err != nil {
		return err
	}
	if err := text(s.Flags...); err != nil {
		return err
	}
	return text(s.Dialect, string(s.Kind), s.Subject, s.Identity, s.Associate, s.Tenant, s.Unit, s.Slot, s.Family)
}

// Check returns [auth.Malformed] for a signing key without an id.
func (k SigningKey) Check() error {
	if err := required(k.ID); err != nil {
		return err
	}
	return text(k.Algorithm, k.Use)
}

// required fails unless each is there and can be kept.
func required(values ...string) error {
	for _, v := range values {
		if v == "" {
			return malformed()
		}
	}
	return text(values...)
}

// foldable fails unless each can be the name of a tenant or unit.
func foldable(names ...string) error {
	for _, n := range names {
		if _, err := TenantKey(n); err != nil {
			return err
		}
	}
	return nil
}

// names fails unless there are no more roles or scopes than an upstream can be
// told, and each can be kept.
func names(list []string) error {
	if auth.CheckCount(list) != nil {
		return auth.Fail(auth.Malformed, auth.ReasonTooLarge, nil)
	}
	return text(list...)
}

// text fails unless every engine can keep each value as it is.
func text(values ...string) error {
	for _, v := range values {
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return malformed()
		}
	}
	return nil
}

func malformed() error { return auth.Fail(auth.Malformed, auth.ReasonForm, nil) }
