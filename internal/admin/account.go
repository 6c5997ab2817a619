package admin

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/password/mostused"
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
	Disabled     bool
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
		Roles: n.Roles, Disabled: n.Disabled, Profile: n.Profile, Settings: n.Settings, Addresses: n.Addresses,
		Created: a.now(), Updated: a.now(),
	}
	if err := a.Store.Accounts.InsertAccount(ctx, row); err != nil {
		return store.Account{}, taken(err, "the username %q or its email is in use already", n.Username)
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
		return unfit("username", n.Username, err)
	}
	if n.Email != "" {
		if _, err := store.NameKey(n.Email); err != nil || !strings.Contains(n.Email, "@") {
			return invalid("email %q is no address", n.Email)
		}
	}
	if n.Unit != "" && n.Tenant == "" {
		return invalid("the unit %q needs its tenant beside it", n.Unit)
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
			return auth.Secret{}, invalid("the password hash of %q cannot be used: %s", n.Username, Text(err))
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
	if len(p.Reveal()) < minPassword {
		return auth.Secret{}, invalid("a password has at least %d bytes", minPassword)
	}
	if strings.EqualFold(p.Reveal(), username) {
		return auth.Secret{}, invalid("the password is the username")
	}
	if mostused.Has(p) {
		return auth.Secret{}, invalid("the password is one of the %d most used, which are tried first: choose another", mostused.Count)
	}
	return a.Hasher.Make(ctx, p)
}

// minPassword is the least length of a password or pass code in bytes. The
// most used ones are counted from that length on.
const minPassword = mostused.MinLength

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
	row, err = a.change(ctx, ref, func(row *store.Account) { row.Password = hash })
	return row, a.endSessions(ctx, row, err)
}

// SetDisabled switches an account off, which ends its sessions, or on again.
func (a *Admin) SetDisabled(ctx context.Context, ref string, disabled bool) (store.Account, error) {
	row, err := a.change(ctx, ref, func(row *store.Account) { row.Disabled = disabled })
	return row, a.endSessions(ctx, row, err)
}

// SetRoles replaces the roles of an account. Its sessions go on with the new
// ones.
func (a *Admin) SetRoles(ctx context.Context, ref string, roles []string) (store.Account, error) {
	if err := checkNames("role", roles); err != nil {
		return store.Account{}, err
	}
	return a.change(ctx, ref, func(row *store.Account) { row.Roles = roles })
}

// change stores what edit makes of an account and returns the row as it is
// stored now, but for its version.
func (a *Admin) change(ctx context.Context, ref string, edit func(*store.Account)) (store.Account, error) {
	return settle("account "+strconv.Quote(ref), func() (store.Account, error) {
		row, err := a.Account(ctx, ref)
		if err != nil {
			return row, err
		}
		edit(&row)
		row.Updated = a.now()
		return row, a.Store.Accounts.UpdateAccount(ctx, row)
	})
}

// endSessions follows a change of the account, never precedes it: a login that
// read the old row finds that its version has passed and withdraws its token
// itself.
func (a *Admin) endSessions(ctx context.Context, row store.Account, err error) error {
	if err != nil {
		return err
	}
	_, err = a.Store.Sessions.RevokeSessions(ctx, a.Realm, store.SessionMatch{Subject: row.ID})
	return err
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
