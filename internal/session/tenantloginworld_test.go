package session_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	acmeTenant, otherTenant = "11111111-8f0a-4d8e-9f5e-1d0c6a3d1a11", "22222222-8f0a-4d8e-9f5e-1d0c6a3d1a11"
	danAccount              = "d4a14bd8-8f0a-4d8e-9f5e-1d0c6a3d1a44"

	salesUnit   = "0D5A1C3E7B9F42D68A4C6E8F0B1D2C3A"
	storesUnit  = "1D5A1C3E7B9F42D68A4C6E8F0B1D2C3A"
	foreignUnit = "2D5A1C3E7B9F42D68A4C6E8F0B1D2C3A" // a unit of the other tenant

	rightPass, wrongPass = "planted-right-pass-code", "planted-wrong-pass-code"
	annCode, danCode     = "planted-code-of-ann", "planted-code-of-dan"
	bobCode, wrongCode   = "planted-code-of-bob", "planted-code-of-nobody"

	tenantKey = "planted-key-of-acme"
)

// tenantWorld is a world with two tenants. ann, bob (disabled) and carol (no
// password) are members of Acme Ltd, ann with the default unit Sales; dan is
// one of Other Ltd alone. All but carol have an identifier, named after their
// username, and a code.
type tenantWorld struct {
	*world
	// tenants is a login block like crm_token's.
	tenants  *session.Service
	ringFile token.RingFile
	mu       sync.Mutex
	// lookups counts what is asked of the store, by what is looked up.
	lookups map[string]int
	// down makes the look-ups of that name fail.
	down string
	// identifiers are all that there are.
	identifiers []store.Identifier
}

func newTenantWorld(t testing.TB) *tenantWorld {
	t.Helper()
	w := &tenantWorld{
		world: newWorld(t), lookups: map[string]int{}, ringFile: token.RingFile{Name: "first", Text: token.NewRing()},
	}
	w.useRing(w.ringFile)
	w.deps.Store.Accounts = tenantWorldAccounts{w.deps.Store.Accounts, w}
	w.deps.Store.Tenants = tenantWorldTenants{w.deps.Store.Tenants, w}
	w.deps.Store.Units = tenantWorldUnits{w.deps.Store.Units, w}
	w.deps.Store.Memberships = tenantWorldMemberships{w.deps.Store.Memberships, w}
	w.deps.Store.Identifiers = tenantWorldIdentifiers{w.deps.Store.Identifiers, w}
	w.tenants = w.crm(session.Config{})
	must(t, w.Accounts.InsertAccount(w.ctx, store.Account{ID: danAccount, Realm: realm, Username: "dan", Password: w.hash(right)}))
	for id, name := range map[string]string{acmeTenant: "Acme Ltd", otherTenant: "Other Ltd"} {
		must(t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: id, Realm: realm, Name: name}))
	}
	for _, u := range []store.Unit{{ID: salesUnit, Tenant: acmeTenant, Name: "Sales"}, {ID: storesUnit, Tenant: acmeTenant, Name: "Stores"}, {ID: foreignUnit, Tenant: otherTenant, Name: "Sales"}} {
		u.Realm = realm
		must(t, w.Units.InsertUnit(w.ctx, u))
	}
	w.join(annID, acmeTenant, salesUnit, "buyer")
	w.join(bobID, acmeTenant, salesUnit)
	w.join(carolID, acmeTenant, salesUnit)
	w.join(danAccount, otherTenant, foreignUnit)
	w.identify("ann", annID, annCode)
	w.identify("bob", bobID, bobCode)
	w.identify("dan", danAccount, danCode)
	return w
}

// crm returns the service of a login block like crm_token's.
func (w *tenantWorld) crm(c session.Config) *session.Service {
	c.Dialect, c.Form = "crm_token", token.UpperHex
	if c.TTL == 0 {
		c.TTL = time.Hour
	}
	if c.Remember == 0 {
		c.Remember = 10 * time.Minute
	}
	return w.service(c)
}

// useRing makes the key ring of these files the one in use.
func (w *tenantWorld) useRing(files ...token.RingFile) {
	w.t.Helper()
	r, err := token.ParseRing(files...)
	must(w.t, err)
	w.deps.Ring = r
}

func (w *tenantWorld) join(account, tenant, unit string, roles ...string) {
	w.t.Helper()
	must(w.t, w.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: account, Tenant: tenant, Unit: unit, Roles: roles}))
}

// identify gives an account an identifier of this name and a code.
func (w *tenantWorld) identify(name, account, code string) {
	w.t.Helper()
	for _, i := range []store.Identifier{
		{Name: "id-of-" + name, PassCode: w.hash(rightPass)},
		{Code: token.CodeMAC(w.deps.Ring, realm, code)},
	} {
		i.ID, i.Realm, i.Account = token.NewID(), realm, account
		must(w.t, w.Identifiers.InsertIdentifier(w.ctx, i))
		w.identifiers = append(w.identifiers, i)
	}
}

// forget deletes the identifiers of an account.
func (w *tenantWorld) forget(account string) {
	w.t.Helper()
	for _, i := range w.identifiers {
		if i.Account == account {
			must(w.t, w.Identifiers.DeleteIdentifier(w.ctx, realm, i.ID))
		}
	}
}

func byPassword(username, password string) session.TenantLogin {
	return session.TenantLogin{Username: username, Password: auth.NewSecret(password), Tenant: "Acme Ltd"}
}

func byIdentifier(name, passCode string) session.TenantLogin {
	return session.TenantLogin{Identifier: name, PassCode: auth.NewSecret(passCode), Tenant: "Acme Ltd"}
}

func byCode(code string) session.TenantLogin {
	return session.TenantLogin{Code: auth.NewSecret(code), Tenant: "Acme Ltd"}
}

// annIn lists the ways of ann into her tenant.
func annIn() map[string]session.TenantLogin {
	return map[string]session.TenantLogin{
		"by password": byPassword("ann", right), "by identifier": byIdentifier("id-of-ann", rightPass), "by code": byCode(annCode),
	}
}

func in(l session.TenantLogin, tenant, unit string) session.TenantLogin {
	l.Tenant, l.Unit = tenant, unit
	return l
}

// enter logs in and fails the test where that is refused.
func (w *tenantWorld) enter(l session.TenantLogin) session.Issued {
	w.t.Helper()
	issued, err := w.tenants.LoginTenant(w.ctx, l)
	must(w.t, err)
	return issued
}

// refuse fails n logins, or fails the test where one is not refused for what it
// brings.
func (w *tenantWorld) refuse(n int, l session.TenantLogin) {
	w.t.Helper()
	for range n {
		if _, err := w.tenants.LoginTenant(w.ctx, l); err == nil || auth.CodeOf(err) != auth.InvalidCredential {
			w.t.Fatalf("got %v", err)
		}
	}
}

// looked counts a look-up and says whether it fails.
func (w *tenantWorld) looked(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookups[what]++
	if w.down == what {
		return down()
	}
	return nil
}

// counts returns the look-ups and hashes since it was last called.
func (w *tenantWorld) counts() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := maps.Clone(w.lookups)
	clear(w.lookups)
	n["hash"] = int(w.hasher.work.Swap(0))
	return n
}

type tenantWorldAccounts struct {
	store.Accounts
	w *tenantWorld
}

func (a tenantWorldAccounts) Account(ctx context.Context, realm, ref string) (store.Account, error) {
	if err := a.w.looked("account"); err != nil {
		return store.Account{}, err
	}
	return a.Accounts.Account(ctx, realm, ref)
}

type tenantWorldTenants struct {
	store.Tenants
	w *tenantWorld
}

func (a tenantWorldTenants) Tenant(ctx context.Context, realm, ref string) (store.Tenant, error) {
	if err := a.w.looked("tenant"); err != nil {
		return store.Tenant{}, err
	}
	return a.Tenants.Tenant(ctx, realm, ref)
}

type tenantWorldUnits struct {
	store.Units
	w *tenantWorld
}

func (a tenantWorldUnits) Unit(ctx context.Context, realm, tenant, ref string) (store.Unit, error) {
	if err := a.w.looked("unit"); err != nil {
		return store.Unit{}, err
	}
	return a.Units.Unit(ctx, realm, tenant, ref)
}

type tenantWorldMemberships struct {
	store.Memberships
	w *tenantWorld
}

func (a tenantWorldMemberships) MembershipsOf(ctx context.Context, realm, account string) ([]store.Membership, error) {
	if err := a.w.looked("membership"); err != nil {
		return nil, err
	}
	return a.Memberships.MembershipsOf(ctx, realm, account)
}

type tenantWorldIdentifiers struct {
	store.Identifiers
	w *tenantWorld
}

func (a tenantWorldIdentifiers) IdentifierNamed(ctx context.Context, realm, name string) (store.Identifier, error) {
	if err := a.w.looked("identifier"); err != nil {
		return store.Identifier{}, err
	}
	return a.Identifiers.IdentifierNamed(ctx, realm, name)
}

func (a tenantWorldIdentifiers) IdentifierCoded(ctx context.Context, realm string, codes ...auth.Digest) (store.Identifier, error) {
	if err := a.w.looked("identifier"); err != nil {
		return store.Identifier{}, err
	}
	return a.Identifiers.IdentifierCoded(ctx, realm, codes...)
}
