package admin_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
)

const secret = "correct horse battery"

// desk is an operator at a store in memory, with a clock to be set.
type desk struct {
	*testing.T
	*admin.Admin
	now time.Time
}

func newDesk(t *testing.T) *desk {
	d := &desk{T: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return d.now }
	// As cheap as argon2id can be: what hashing costs is tested elsewhere.
	hasher := password.New(password.Options{MemoryKiB: 8, Time: 1})
	d.Admin = &admin.Admin{Store: memstore.New(clock), Hasher: hasher, Now: clock, Realm: "default"}
	t.Cleanup(func() { _ = d.Store.Close() })
	return d
}

func (d *desk) account(name string) store.Account {
	d.Helper()
	row, err := d.AddAccount(d.Context(), admin.NewAccount{Username: name, Password: auth.NewSecret(secret)})
	d.must(err)
	return row
}

func (d *desk) tenant(name string) store.Tenant {
	d.Helper()
	t, err := d.AddTenant(d.Context(), name)
	d.must(err)
	return t
}

func (d *desk) token(account string) store.Session {
	d.Helper()
	row, _, err := d.CreateToken(d.Context(), account, "", 0)
	d.must(err)
	return row
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// fails wants an error of a class whose sentence holds some words.
func (d *desk) fails(err error, code auth.Code, words string) {
	d.Helper()
	if err == nil || auth.CodeOf(err) != code || !strings.Contains(admin.Text(err), words) {
		d.Errorf("got %v, want %s with %q", err, code, words)
	}
}

// gone wants a token that no longer counts.
func (d *desk) gone(row store.Session) {
	d.Helper()
	_, err := d.Token(d.Context(), row.ID)
	d.fails(err, auth.NotFound, "there is no such token")
}

func TestAnAccountIsAddedAsItIsGiven(t *testing.T) {
	d := newDesk(t)
	acme := d.tenant("Acme")
	sales, err := d.AddUnit(t.Context(), "acme", "Sales")
	d.must(err)
	row, err := d.AddAccount(t.Context(), admin.NewAccount{
		Username: "Joe", Email: "Joe@Example.com", Password: auth.NewSecret(secret), Roles: []string{"user"},
		Tenant: "Acme", Unit: "sales", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	d.must(err)
	for _, ref := range []string{"joe", "joe@example.com", row.ID} {
		got, err := d.Account(t.Context(), ref)
		d.must(err)
		if got.ID != row.ID || got.Username != "Joe" || !slices.Equal(got.Roles, row.Roles) || len(got.Addresses) != 1 {
			t.Errorf("%s leads to %+v", ref, got)
		}
		if ok, _, err := d.Hasher.Verify(t.Context(), got.Password, auth.NewSecret(secret)); !ok || err != nil {
			t.Errorf("the password does not verify: %v", err)
		}
	}
	members, err := d.Members(t.Context(), row.ID)
	d.must(err)
	if len(members) != 1 || members[0].Tenant.ID != acme.ID || members[0].Unit.ID != sales.ID {
		t.Errorf("the memberships are %+v", members)
	}
}

func TestWhatCannotBeAnAccountIsRefusedWithASentence(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	pw := auth.NewSecret(secret)
	for name, c := range map[string]struct {
		n     admin.NewAccount
		code  auth.Code
		words string
	}{
		"no name":                        {admin.NewAccount{}, auth.Malformed, "needs a username"},
		"a name with a space":            {admin.NewAccount{Username: "a b"}, auth.Malformed, `username "a b" cannot be: `},
		"a name that is too long":        {admin.NewAccount{Username: strings.Repeat("a", 300)}, auth.Malformed, "too long"},
		"a name that is taken":           {admin.NewAccount{Username: "ＪＯＥ"}, auth.Conflict, "in use already"},
		"an email without an at":         {admin.NewAccount{Username: "b", Email: "b"}, auth.Malformed, `email "b"`},
		"a role of two words":            {admin.NewAccount{Username: "b", Roles: []string{"a", "b c"}}, auth.Malformed, `role "b c"`},
		"a unit without a tenant":        {admin.NewAccount{Username: "b", Unit: "u"}, auth.Malformed, "needs its tenant"},
		"a tenant that nobody knows":     {admin.NewAccount{Username: "b", Tenant: "t"}, auth.NotFound, `no tenant "t"`},
		"a short password":               {admin.NewAccount{Username: "b", Password: auth.NewSecret("1234567")}, auth.Malformed, "at least 8"},
		"a password that is the name":    {admin.NewAccount{Username: "alexander", Password: auth.NewSecret("Alexander")}, auth.Malformed, "is the username"},
		"a password that many use":       {admin.NewAccount{Username: "b", Password: auth.NewSecret("PassWord")}, auth.Malformed, "the password is one of the 3000 most used"},
		"a password beyond every bound":  {admin.NewAccount{Username: "b", Password: auth.NewSecret(strings.Repeat("x", 2000))}, auth.Malformed, ""},
		"a hash that nobody can verify":  {admin.NewAccount{Username: "b", Hash: auth.NewSecret("c0ffee")}, auth.Malformed, "cannot be used"},
		"a username that is an email":    {admin.NewAccount{Username: "eve@example.com", Password: pw}, auth.Conflict, "in use already"},
		"an email that another one uses": {admin.NewAccount{Username: "b", Email: "EVE@example.com"}, auth.Conflict, "in use already"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{T: t, Admin: d.Admin, now: d.now}
			if _, err := d.AddAccount(t.Context(), admin.NewAccount{Username: "eve", Email: "eve@example.com"}); err != nil {
				d.fails(err, auth.Conflict, "")
			}
			_, err := d.AddAccount(t.Context(), c.n)
			d.fails(err, c.code, c.words)
			if err != nil && strings.Contains(err.Error(), "c0ffee") {
				t.Errorf("the error repeats the hash: %v", err)
			}
		})
	}
}

func TestAPasswordThatMayNotBeIsNotChangedTo(t *testing.T) {
	d := newDesk(t)
	before := d.account("alexandra")
	for text, words := range map[string]string{
		"1234567": "at least 8", "Alexandra": "is the username", "Iloveyou": "most used", "12345678": "most used",
	} {
		_, err := d.SetPassword(t.Context(), "alexandra", auth.NewSecret(text))
		d.fails(err, auth.Malformed, words)
	}
	after, err := d.Account(t.Context(), "alexandra")
	if err != nil || after.Password != before.Password {
		t.Errorf("the password is another one, %v", err)
	}
}

func TestWhatChangesAnAccountEndsItsSessions(t *testing.T) {
	for name, change := range map[string]func(*desk) error{
		"a new password": func(d *desk) error {
			_, err := d.SetPassword(d.Context(), "joe", auth.NewSecret("another staple"))
			return err
		},
		"disabling": func(d *desk) error {
			_, err := d.SetDisabled(d.Context(), "joe", true)
			return err
		},
		"deleting": func(d *desk) error {
			_, err := d.DeleteAccount(d.Context(), "joe")
			return err
		},
		"revoking all tokens": func(d *desk) error {
			n, err := d.RevokeTokens(d.Context(), "joe")
			if n != 1 {
				d.Errorf("%d tokens were revoked", n)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.account("joe")
			d.account("anna")
			joe, anna := d.token("joe"), d.token("anna")
			d.must(change(d))
			d.gone(joe)
			if _, err := d.Token(t.Context(), anna.ID); err != nil {
				t.Errorf("another account lost its token: %v", err)
			}
		})
	}
}

func TestRolesChangeWithoutEndingSessions(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	token := d.token("joe")
	row, err := d.SetRoles(t.Context(), "joe", []string{"admin"})
	d.must(err)
	if got, err := d.Account(t.Context(), "joe"); err != nil || !slices.Equal(got.Roles, row.Roles) {
		t.Errorf("the roles are %v (%v)", got.Roles, err)
	}
	if _, err := d.Token(t.Context(), token.ID); err != nil {
		t.Error(err)
	}
	_, err = d.SetRoles(t.Context(), "joe", []string{"a,b"})
	d.fails(err, auth.Malformed, `role "a,b"`)
}

// contended has the first updates of an account meet another one.
type contended struct {
	store.Accounts
	losses int
}

func (c *contended) UpdateAccount(ctx context.Context, a store.Account) error {
	if c.losses > 0 {
		c.losses--
		other, err := c.Account(ctx, a.Realm, a.ID)
		if err == nil {
			other.Profile.Title = "changed meanwhile"
			err = c.Accounts.UpdateAccount(ctx, other)
		}
		if err != nil {
			return err
		}
	}
	return c.Accounts.UpdateAccount(ctx, a)
}

func TestAChangeThatLosesIsMadeAnew(t *testing.T) {
	d := newDesk(t)
	d.account("joe")
	rival := &contended{d.Store.Accounts, 2}
	d.Store.Accounts = rival
	_, err := d.SetDisabled(t.Context(), "joe", true)
	d.must(err)
	row, err := d.Account(t.Context(), "joe")
	d.must(err)
	if !row.Disabled || row.Profile.Title != "changed meanwhile" {
		t.Errorf("one of the two changes is lost: %+v", row)
	}
	rival.losses = 100
	_, err = d.SetDisabled(t.Context(), "joe", false)
	d.fails(err, auth.Conflict, `account "joe" is being changed by others`)
}

func TestEveryPageOfAListIsRead(t *testing.T) {
	d := newDesk(t)
	const n = store.MaxPage + 5
	for i := range n {
		_, err := d.AddTenant(t.Context(), "tenant "+strings.Repeat("x", i%7)+time.Duration(i).String())
		d.must(err)
	}
	seen := 0
	d.must(d.Tenants(t.Context(), func(store.Tenant) error { seen++; return nil }))
	if seen != n {
		t.Errorf("%d of %d tenants", seen, n)
	}
	stop := errors.New("enough")
	if err := d.Tenants(t.Context(), func(store.Tenant) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the reader does not end the list: %v", err)
	}
}

func TestTheSentenceOfAnError(t *testing.T) {
	cause := errors.New("the cause")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"is its cause":           {auth.Fail(auth.Malformed, auth.ReasonForm, cause), "the cause"},
		"is its innermost cause": {auth.Fail(auth.Internal, "", auth.Fail(auth.Malformed, "", cause)), "the cause"},
		"of a store says that it is one": {
			auth.Fail(auth.Unavailable, auth.ReasonStore, cause),
			"the store cannot be read or written: the cause",
		},
		"is its class without a cause":   {auth.Fail(auth.Conflict, "", nil), "conflict"},
		"is itself if nobody classified": {cause, "the cause"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := admin.Text(c.err); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestNobodyHasMoreRolesOrScopesThanAnUpstreamCanBeTold: every request with them
// would be refused by the upstream, and every JWT with them here.
func TestNobodyHasMoreRolesOrScopesThanAnUpstreamCanBeTold(t *testing.T) {
	d := newDesk(t)
	d.account("ann")
	d.tenant("Acme")
	many := slices.Repeat([]string{"editor"}, auth.MaxNames+1)
	long := slices.Repeat([]string{strings.Repeat("r", 128)}, 12)
	for name, do := range map[string]func(names []string) error{
		"roles of a new account": func(names []string) error {
			_, err := d.AddAccount(d.Context(), admin.NewAccount{Username: "bob", Roles: names})
			return err
		},
		"roles that are replaced": func(names []string) error {
			_, err := d.SetRoles(d.Context(), "ann", names)
			return err
		},
		"roles in a tenant": func(names []string) error {
			return d.AddMember(d.Context(), "ann", "Acme", "", names)
		},
		"scopes of a key": func(names []string) error {
			_, _, err := d.CreateKey(d.Context(), admin.NewKey{Account: "ann", Scopes: names})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, names := range [][]string{many, long} {
				if err := do(names); err == nil || auth.CodeOf(err) != auth.Malformed || !strings.Contains(admin.Text(err), "too many") {
					t.Errorf("got %v", err)
				}
			}
			if err := do([]string{"editor"}); err != nil {
				t.Errorf("one name is refused: %v", err)
			}
		})
	}
}
