package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// TenantLogin is a login into a tenant, in one of three ways: Username (or
// email, or account id) and Password, or Identifier and PassCode, or Code. The
// members of the other two are empty.
type TenantLogin struct {
	Username, Identifier     string
	Password, PassCode, Code auth.Secret
	// Tenant is a name or id. Unit is the id of one of its units, "" for the
	// default unit of who logs in.
	Tenant, Unit string
}

// LoginTenant verifies a login and issues a token that is bound to the tenant
// and unit. Unknown account, identifier, code, tenant and unit, wrong password
// and pass code, disabled account and one that is no member take the same
// look-ups and the same hash (none for a code), and are all
// [auth.InvalidCredential].
func (s *Service) LoginTenant(ctx context.Context, l TenantLogin) (Issued, error) {
	c, err := s.tenantClaim(ctx, l)
	var issued Issued
	if err == nil {
		issued, err = s.loginTenant(ctx, c)
	}
	s.auditLogin(ctx, c.claimant, issued, err)
	return issued, err
}

func (s *Service) loginTenant(ctx context.Context, c tenantClaim) (Issued, error) {
	unit, err := s.attemptTenant(ctx, c)
	if err != nil {
		return Issued{}, err
	}
	if !c.login.Password.Empty() {
		c.Account = s.upgrade(ctx, c.Account, c.secret)
		c.proof = c.Password
	}
	issued, err := s.issue(ctx, grant{account: c.Account, tenant: c.tenant, unit: unit})
	if err != nil {
		return Issued{}, err
	}
	if wrong := s.stillMember(ctx, c, unit); wrong != nil {
		return Issued{}, s.withdraw(ctx, issued, wrong)
	}
	_ = s.Store.Accounts.TouchAccount(ctx, c.Realm, c.ID, issued.Issued) // written late; losing one costs nothing
	return issued, nil
}

// tenantClaim is a login into a tenant with what the store knows of it.
type tenantClaim struct {
	claimant
	login TenantLogin
	// secret is what was sent and proof the PHC string that it is held
	// against; a code is its own proof.
	secret, proof auth.Secret
	// tenant is the zero value where there is none of that name.
	tenant store.Tenant
}

// nobody names no account and no unit: it is looked up where there is nothing
// to look up, so that what is unknown takes as long as what is known.
const nobody = "00000000-0000-0000-0000-000000000000"

func (s *Service) tenantClaim(ctx context.Context, l TenantLogin) (tenantClaim, error) {
	c, err := s.identified(ctx, l)
	if err != nil {
		return c, err
	}
	c.login = l
	c.tenant, err = s.Store.Tenants.Tenant(ctx, s.cfg.Realm, l.Tenant)
	if auth.IsNotFound(err) {
		err = nil
	}
	return c, err
}

// identified finds the account of a login, in the way that it names one.
func (s *Service) identified(ctx context.Context, l TenantLogin) (tenantClaim, error) {
	switch {
	case !l.Code.Empty():
		i, err := s.Store.Identifiers.IdentifierCoded(ctx, s.cfg.Realm, token.CodeMACs(s.Ring, s.cfg.Realm, l.Code.Reveal())...)
		return s.behind(ctx, "", i, err)
	case l.Identifier != "":
		i, err := s.Store.Identifiers.IdentifierNamed(ctx, s.cfg.Realm, l.Identifier)
		c, err := s.behind(ctx, l.Identifier, i, err)
		c.secret, c.proof = l.PassCode, i.PassCode
		return c, err
	}
	c, err := s.claimant(ctx, l.Username)
	return tenantClaim{claimant: c, secret: l.Password, proof: c.Password}, err
}

// behind finds the account of an identifier; absent is the error that the
// identifier was looked up with. name is what the log may say of it.
func (s *Service) behind(ctx context.Context, name string, i store.Identifier, absent error) (tenantClaim, error) {
	c := tenantClaim{claimant: claimant{name: name}}
	if absent != nil && !auth.IsNotFound(absent) {
		return c, absent
	}
	id := i.Account
	if id == "" {
		id = nobody
	}
	a, err := s.own(ctx, s.cfg.Realm, id)
	if auth.IsNotFound(err) {
		return c, nil
	}
	c.Account, c.known = a, err == nil
	return c, err
}

// verifyTenant does the same work whatever is wrong. A fault of ours comes
// first, then what is wrong with the caller, then with where they want to go.
func (s *Service) verifyTenant(ctx context.Context, c tenantClaim) (store.Unit, error) {
	unit, misplaced := s.place(ctx, c)
	if misplaced != nil && auth.CodeOf(misplaced) != auth.InvalidCredential {
		return unit, misplaced
	}
	if err := s.prove(ctx, c); err != nil {
		return unit, err
	}
	return unit, misplaced
}

// prove verifies who logs in.
func (s *Service) prove(ctx context.Context, c tenantClaim) error {
	if c.login.Code.Empty() {
		held := c.claimant
		held.Password = c.proof
		return s.verifyPassword(ctx, held, c.secret)
	}
	if !c.known {
		return auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	if c.Disabled {
		return auth.Fail(auth.InvalidCredential, auth.ReasonDisabled, nil)
	}
	return admit(ctx, c.Account, store.Key{})
}

// stillMember returns why a token that was just issued is not good any more:
// who disables an account, takes an identifier away or deletes a unit revokes
// tokens, and could not see one that was issued a moment later.
func (s *Service) stillMember(ctx context.Context, c tenantClaim, unit store.Unit) error {
	now, err := s.tenantClaim(ctx, c.login)
	if err != nil {
		return err
	}
	if now.known && now.ID != c.ID {
		return auth.Fail(auth.InvalidCredential, auth.ReasonUnknown, nil)
	}
	if !now.known || now.Version != c.Version || !now.proof.Equal(c.proof) {
		if _, err := s.verifyTenant(ctx, now); err != nil {
			return err
		}
	}
	return s.stillThere(ctx, c.tenant.ID, unit)
}
