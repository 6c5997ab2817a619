package storetest

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	home    = "default" // the realm of most clauses
	foreign = "other"   // the realm that must not be touched
)

// account is an account of the home realm, with nothing but names.
func account(username string) store.Account {
	return store.Account{ID: uuid.NewString(), Realm: home, Username: username}
}

// fullAccount is an account that sets every member.
func fullAccount(c *clock, username string) store.Account {
	birth, dismissed := time.Date(1979, 2, 3, 0, 0, 0, 0, time.UTC), c.after(-time.Minute)
	a := account(username)
	a.Email = username + "@example.com"
	a.Password = auth.NewSecret("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA")
	a.Roles = []string{"admin", "editor"}
	a.Disabled = true
	a.Profile = store.Profile{
		PhoneNumber: "+357 1", Title: "Dr", FirstName: "Ana", LastName: "Björk", Department: "R&D",
		BirthDate: &birth, LastDismissMessages: &dismissed, Rank: -3, Image: []byte{0, 0xff, 'x'},
		Address: "1 Road", PostalCode: "00100", Region: "North", City: "Oulu", Country: "Finland",
		CountryCode: "FI", Mobile: "2", Notes: "two\nlines", CustomerID: 77,
	}
	a.Settings = []store.Setting{
		{ID: 1<<62 + 1, Category: "ui", Group: "list", Name: "rows", Value: "20", Type: "int", Description: "d", ReadOnly: true},
		{ID: -1, Name: "empty"},
	}
	a.Addresses = []netip.Prefix{netip.MustParsePrefix("10.1.2.3/8"), netip.MustParsePrefix("2001:db8::/32")}
	a.Created, a.Updated, a.LastLogin = c.after(-time.Hour), c.after(-time.Minute), c.after(-time.Millisecond)
	a.Version = 4
	return a
}

func tenant(name string) store.Tenant {
	return store.Tenant{ID: uuid.NewString(), Realm: home, Name: name}
}

func unit(of store.Tenant, name string) store.Unit {
	id := strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", ""))
	return store.Unit{ID: id, Realm: of.Realm, Tenant: of.ID, Name: name}
}

// key is a key of no one, whose digest is of its name.
func key(name string) store.Key {
	return store.Key{Realm: home, Name: name, Digest: auth.DigestOf("key " + name)}
}

func fullKey(c *clock, name string) store.Key {
	k := key(name)
	k.Prefix, k.LastFour, k.Description = "gk_ab", "wxyz", "for tests"
	k.Gateway = true
	k.Scopes = auth.Scope{"orders:read", "orders:write"}
	k.Permissions = auth.Read | auth.Create
	k.ClientSecret = auth.DigestOf("client secret")
	k.Created, k.Expires = c.after(-time.Hour), c.after(time.Hour)
	k.Revoked, k.LastUsed = c.after(-time.Minute), c.after(-time.Millisecond)
	k.Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	k.Version = 9
	return k
}

// session is a session that lives for an hour and is kept for two.
func session(c *clock, name string) store.Session {
	return store.Session{
		ID: uuid.NewString(), Realm: home, Digest: auth.DigestOf("token " + name),
		Dialect: "management", Kind: store.AccessToken, Subject: "subject of " + name,
		Issued: c.Now(), Expires: c.after(time.Hour), Keep: c.after(2 * time.Hour),
	}
}

func fullSession(c *clock, name string) store.Session {
	s := session(c, name)
	s.Sealed = []byte{0, 1, 0xff}
	s.Kind = store.OneTimeToken
	s.Identity, s.Associate = uuid.NewString(), uuid.NewString()
	s.KeyID = 1<<53 + 1
	s.Tenant, s.Unit = uuid.NewString(), "0123456789ABCDEF0123456789ABCDEF"
	s.Scopes, s.Flags = auth.Scope{"a", "b"}, []string{"one", "two words", "three,four"}
	s.Slot, s.Family = "slot of "+name, "family of "+name
	s.Updated, s.Retired = c.after(time.Second), c.after(time.Minute)
	s.Idle = 90 * time.Minute
	s.Version = 7
	return s
}

func signingKey(c *clock, id string) store.SigningKey {
	return store.SigningKey{ID: id, Algorithm: "EdDSA", Use: "token", Sealed: []byte("sealed " + id), Created: c.Now()}
}

// oddStrings are texts that a careless store changes, cuts or runs.
func oddStrings() map[string]string {
	return map[string]string{
		"a quote":             `O'Brien "x" ` + "`y`; DROP TABLE sessions; --",
		"wildcards":           `100%_\%[a-z]*?`,
		"a NUL":               "be\x00fore",
		"a four-byte rune":    "🔑𝕏",
		"broken UTF-8":        "a\xff\xfeb",
		"a placeholder":       "$1 ? :name @x {0}",
		"only spaces":         "   ",
		"a line separator":    "a\u2028b\r\n\tc",
		"combining marks":     "e\u0301 is not é",
		"a list":              `["a","b"],null,`,
		"a number":            "0012e3",
		"a quarter megabyte":  strings.Repeat("0123456789abcdef", 1<<14),
		"a trailing newline":  "x\n",
		"a byte order mark":   "\ufeffx",
		"a private character": "\U0010ffff\ue000",
	}
}

// insertAccounts adds accounts of these usernames and returns them.
func (f *fixture) insertAccounts(t *testing.T, usernames ...string) []store.Account {
	t.Helper()
	var rows []store.Account
	for _, u := range usernames {
		a := account(u)
		ok(t, f.Accounts.InsertAccount(t.Context(), a))
		rows = append(rows, a)
	}
	return rows
}

func (f *fixture) insertTenant(t *testing.T, name string) store.Tenant {
	t.Helper()
	row := tenant(name)
	ok(t, f.Tenants.InsertTenant(t.Context(), row))
	return row
}

// insertKey adds k and returns it as the store has it then.
func (f *fixture) insertKey(t *testing.T, k store.Key) store.Key {
	t.Helper()
	id, err := f.Keys.InsertKey(t.Context(), k)
	ok(t, err)
	k.ID = id
	return k
}

func (f *fixture) insertSessions(t *testing.T, rows ...store.Session) {
	t.Helper()
	ok(t, f.Sessions.InsertSession(t.Context(), rows...))
}

// decimal is an API key's id as a change names it.
func decimal(id int64) string { return strconv.FormatInt(id, 10) }
