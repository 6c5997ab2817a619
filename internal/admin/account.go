package admin

import (
	"context"
	"net/netip"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// NewAccount is an account to add. Password is the password itself; Hash, in
// its place, one that was hashed elsewhere. Neither means that no password
// logs in.
type NewAccount struct {
	Username, Email string
	Password, Hash  auth.Secret
	Roles           []string
	// Tenant and Unit are names or ids; the account becomes a member.
	Tenant, Unit string
	Addresses    []netip.Prefix
	Profile      store.Profile
	Settings     []store.Setting
}

// AddAccount adds an account.
func (a *Admin) AddAccount(ctx context.Context, n NewAccount) (store.Account, error) {
	if err := checkAccount(n); err != nil {
		return store.Account{}, err
	}
	member, err := a.membership(ctx, n.Tenant, n.Unit)
	if err != nil {
		return store.Account{}, err
	}
	hash, err := a.hash(ctx, n)
	if err != nil {
		return store.Account{}, err
	}
	row := store.Account{
		ID: uuid.NewString(), Realm: a.Realm, Username: n.Username, Email: n.Email, Password: hash,
		Roles: n.Roles, Profile: n.Profile, Settings: n.Settings, Addresses: n.Addresses,
		Created: a.now(), Updated: a.now(),
	}
	if err := a.Store.Accounts.InsertAccount(ctx, row); err != nil {
		return store.Account{}, taken(err, "account", n.Username)
	}
	if n.Tenant == "" {
		return row, nil
	}
	member.Account = row.ID
	return row, a.Store.Memberships.PutMembership(ctx, member)
}

func checkAccount(n NewAccount) error {
	if n.Username == "" {
		return invalid("an account needs a username")
	}
	if _, err := store.NameKey(n.Username); err != nil {
		return invalid("username %q: %v", n.Username, err)
	}
	if n.Email != "" {
		if _, err := store.NameKey(n.Email); err != nil || !strings.Contains(n.Email, "@") {
			return invalid("email %q is no address", n.Email)
		}
	}
	if n.Unit != "" && n.Tenant == "" {
		return invalid("unit %q: say of which tenant", n.Unit)
	}
	return checkNames("role", n.Roles)
}

// membership looks up a tenant and unit by name or id.
func (a *Admin) membership(ctx context.Context, tenant, unit string) (store.Membership, error) {
	if tenant == "" {
		return store.Membership{}, nil
	}
	t, err := a.Tenant(ctx, tenant)
	if err != nil {
		return store.Membership{}, err
	}
	m := store.Membership{Realm: a.Realm, Tenant: t.ID}
	if unit == "" {
		return m, nil
	}
	u, err := a.Store.Units.Unit(ctx, a.Realm, t.ID, unit)
	m.Unit = u.ID
	return m, missing(err, "unit", unit)
}

func (a *Admin) hash(ctx context.Context, n NewAccount) (auth.Secret, error) {
	if !n.Hash.Empty() {
		if err := a.Hasher.Known(n.Hash); err != nil {
			return auth.Secret{}, invalid("password hash of %q: %v", n.Username, err)
		}
		return n.Hash, nil
	}
	if n.Password.Empty() {
		return auth.Secret{}, nil
	}
	return a.newPassword(ctx, n.Username, n.Password)
}

// newPassword hashes a password that may be one for this username.
func (a *Admin) newPassword(ctx context.Context, username string, p auth.Secret) (auth.Secret, error) {
	if len(p.Reveal()) < 8 {
		return auth.Secret{}, invalid("a password has at least 8 bytes")
	}
	if strings.EqualFold(p.Reveal(), username) {
		return auth.Secret{}, invalid("the password is the username")
	}
	return a.Hasher.Make(ctx, p)
}

// Account returns an account by id, username or email.
func (a *Admin) Account(ctx context.Context, ref string) (store.Account, error) {
	row, err := a.Store.Accounts.Account(ctx, a.Realm, ref)
	return row, missing(err, "account", ref)
}

// SetPassword replaces the password of an account and ends its sessions.
func (a *Admin) SetPassword(ctx context.Context, ref string, p auth.Secret) (store.Account, error) {
	row, err := a.Account(ctx, ref)
	if err != nil {
		return row, err
	}
	hash, err := a.newPassword(ctx, row.Username, p)
	if err != nil {
		return row, err
	}
	row.Password = hash
	return a.update(ctx, row)
}

// SetDisabled switches an account off, which ends its sessions, or on again.
func (a *Admin) SetDisabled(ctx context.Context, ref string, disabled bool) (store.Account, error) {
	row, err := a.Account(ctx, ref)
	if err != nil {
		return row, err
	}
	row.Disabled = disabled
	return a.update(ctx, row)
}

// SetRoles replaces the roles of an account.
func (a *Admin) SetRoles(ctx context.Context, ref string, roles []string) (store.Account, error) {
	if err := checkNames("role", roles); err != nil {
		return store.Account{}, err
	}
	row, err := a.Account(ctx, ref)
	if err != nil {
		return row, err
	}
	row.Roles, row.Updated = roles, a.now()
	return row, a.Store.Accounts.UpdateAccount(ctx, row)
}

// update stores an account and then ends its sessions: a login that read the
// old row finds that its version has passed and withdraws its token itself.
func (a *Admin) update(ctx context.Context, row store.Account) (store.Account, error) {
	row.Updated = a.now()
	if err := a.Store.Accounts.UpdateAccount(ctx, row); err != nil {
		return row, err
	}
	_, err := a.Store.Sessions.RevokeSessions(ctx, a.Realm, store.SessionMatch{Subject: row.ID})
	return row, err
}

// DeleteAccount removes an account with its keys and sessions.
func (a *Admin) DeleteAccount(ctx context.Context, ref string) (store.Account, error) {
	row, err := a.Account(ctx, ref)
	if err != nil {
		return row, err
	}
	return row, a.Store.Accounts.DeleteAccount(ctx, a.Realm, row.ID)
}

// Accounts calls yield with each account in the order of username, until it
// returns an error.
func (a *Admin) Accounts(ctx context.Context, yield func(store.Account) error) error {
	return pages(func(p store.Page) ([]store.Account, error) {
		return a.Store.Accounts.ListAccounts(ctx, a.Realm, p)
	}, yield)
}

// pages reads a list to its end, a page at a time.
func pages[T any](read func(store.Page) ([]T, error), yield func(T) error) error {
	for at := 0; ; at += store.MaxPage {
		rows, err := read(store.Page{Offset: at, Limit: store.MaxPage})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := yield(row); err != nil {
				return err
			}
		}
		if len(rows) < store.MaxPage {
			return nil
		}
	}
}
