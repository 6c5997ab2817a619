package session_test

import (
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func TestEachWayIntoATenantGivesATokenThatIsBoundToIt(t *testing.T) {
	for name, l := range annIn() {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t)
			issued := w.enter(l)
			if _, ok := parseUpperHex(issued.Token); !ok || issued.TTL != time.Hour {
				t.Errorf("it lives %v, and is no 32 upper-case hex digits", issued.TTL)
			}
			p, err := w.resolve(issued.Token)
			must(t, err)
			if p.Subject != annID || p.Tenant != acmeTenant || p.TenantName != "Acme Ltd" || p.Unit != salesUnit || p.Dialect != "crm_token" ||
				!p.HasRole("buyer") || len(p.Tenants) != 1 || p.Permissions != auth.AllPermissions {
				t.Errorf("the token is one of %+v", p)
			}
			a, err := w.Accounts.Account(w.ctx, realm, annID)
			must(t, err)
			if !a.LastLogin.Equal(issued.Issued) {
				t.Errorf("the last login was %v", a.LastLogin)
			}
		})
	}
}

func parseUpperHex(text auth.Secret) (string, bool) {
	s := text.Reveal()
	return s, len(s) == 32 && strings.Trim(s, "0123456789ABCDEF") == ""
}

func TestATenantIsFoundByItsNameInAnySpellingAndByItsID(t *testing.T) {
	w := newTenantWorld(t)
	for _, name := range []string{"Acme Ltd", "acme ltd", "ＡＣＭＥ Ltd", " Acme  Ltd ", acmeTenant} {
		p, err := w.resolve(w.enter(in(byPassword("ann", right), name, "")).Token)
		must(t, err)
		if p.Tenant != acmeTenant {
			t.Errorf("%q leads to %q", name, p.Tenant)
		}
	}
}

func TestAUnitIsTheOneThatIsAskedForOrElseTheUsualOne(t *testing.T) {
	for _, c := range []struct{ name, usual, asked, want string }{
		{"the usual one", salesUnit, "", salesUnit},
		{"the usual one, asked for", salesUnit, salesUnit, salesUnit},
		{"another one", salesUnit, storesUnit, storesUnit},
		{"one where there is no usual one", "", storesUnit, storesUnit},
		{"none", "", "", ""},
		{"a usual one that is gone is none", foreignUnit, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTenantWorld(t)
			w.join(annID, acmeTenant, c.usual)
			p, err := w.resolve(w.enter(in(byPassword("ann", right), "Acme Ltd", c.asked)).Token)
			must(t, err)
			if p.Unit != c.want || p.Tenant != acmeTenant {
				t.Errorf("the token is one of %+v", p)
			}
		})
	}
}

// refusedLogins are what must look alike, by way and cause.
func refusedLogins() map[string]map[string]session.TenantLogin {
	everywhere := func(l session.TenantLogin) map[string]session.TenantLogin {
		return map[string]session.TenantLogin{
			"nobody has the tenant's name":            in(l, "Nowhere Ltd", ""),
			"the tenant's name cannot be one":         in(l, "a\x00b", ""),
			"the tenant's name is empty":              in(l, "", ""),
			"the account is no member":                in(l, "Other Ltd", ""),
			"nobody has the unit":                     in(l, "Acme Ltd", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"),
			"the unit is another tenant's":            in(l, "Acme Ltd", foreignUnit),
			"the unit is that of another member":      in(l, "Other Ltd", foreignUnit),
			"the unit is a name":                      in(l, "Acme Ltd", "Sales"),
			"the unit is an id in another spelling":   in(l, "Acme Ltd", strings.ToLower(salesUnit)),
			"a unit of no tenant":                     in(l, "Nowhere Ltd", salesUnit),
			"the unit of nobody, which is looked for": in(l, "Acme Ltd", "00000000-0000-0000-0000-000000000000"),
		}
	}
	passwords := everywhere(byPassword("ann", right))
	maps.Copy(passwords, map[string]session.TenantLogin{
		"nobody has the name":                         byPassword("nobody", right),
		"nobody has the name, and nowhere":            in(byPassword("nobody", right), "Nowhere Ltd", salesUnit),
		"the name cannot be one":                      byPassword("a b\x00c", right),
		"the name is an identifier":                   byPassword("id-of-ann", right),
		"the password is wrong":                       byPassword("ann", wrong),
		"the password is wrong, and the tenant":       in(byPassword("ann", wrong), "Nowhere Ltd", ""),
		"the password is too long":                    byPassword("ann", strings.Repeat("x", password.MaxLength+1)),
		"the password is a pass code":                 byPassword("ann", rightPass),
		"the account is disabled":                     byPassword("bob", right),
		"the account has no password":                 byPassword("carol", right),
		"the account is one of another tenant":        byPassword("dan", right),
		"the account is one of another tenant's unit": in(byPassword("dan", right), "Acme Ltd", foreignUnit),
	})
	names := everywhere(byIdentifier("id-of-ann", rightPass))
	maps.Copy(names, map[string]session.TenantLogin{
		"nobody has the identifier":           byIdentifier("id-of-nobody", rightPass),
		"the identifier is a username":        byIdentifier("ann", rightPass),
		"the identifier cannot be one":        byIdentifier("a b\x00c", rightPass),
		"the pass code is wrong":              byIdentifier("id-of-ann", wrongPass),
		"the pass code is a password":         byIdentifier("id-of-ann", right),
		"the account is disabled":             byIdentifier("id-of-bob", rightPass),
		"the account is of another tenant":    byIdentifier("id-of-dan", rightPass),
		"nobody has the name of the empty ID": byIdentifier("00000000-0000-0000-0000-000000000000", rightPass),
	})
	codes := everywhere(byCode(annCode))
	maps.Copy(codes, map[string]session.TenantLogin{
		"nobody has the code":                 byCode(wrongCode),
		"nobody has the code, and nowhere":    in(byCode(wrongCode), "Nowhere Ltd", salesUnit),
		"the code is right but for its case":  byCode(strings.ToUpper(annCode)),
		"the code has a space behind":         byCode(annCode + " "),
		"the code is a pass code":             byCode(rightPass),
		"the account is disabled":             byCode(bobCode),
		"the account is of another tenant":    byCode(danCode),
		"the code is the name of an identity": byCode("id-of-ann"),
	})
	return map[string]map[string]session.TenantLogin{"by password": passwords, "by identifier": names, "by code": codes}
}

// TestARefusedTenantLoginIsOneCodeAndTheSameWorkWhateverTheCause: neither the
// answer nor the work tells which accounts, identifiers, tenants and units there
// are.
func TestARefusedTenantLoginIsOneCodeAndTheSameWorkWhateverTheCause(t *testing.T) {
	hashes := map[string]int{"by password": 1, "by identifier": 1, "by code": 0}
	identifiers := map[string]int{"by password": 0, "by identifier": 1, "by code": 1}
	for way, causes := range refusedLogins() {
		t.Run(way, func(t *testing.T) {
			want := map[string]int{"account": 1, "tenant": 1, "membership": 1, "unit": 1, "hash": hashes[way]}
			if identifiers[way] > 0 {
				want["identifier"] = 1
			}
			for cause, l := range causes {
				t.Run(cause, func(t *testing.T) {
					w := newTenantWorld(t)
					w.counts()
					issued, err := w.tenants.LoginTenant(w.ctx, l)
					if err == nil || auth.CodeOf(err) != auth.InvalidCredential {
						t.Fatalf("got %v", err)
					}
					wantNothing(t, issued)
					if got := w.counts(); !maps.Equal(got, want) {
						t.Errorf("the work was %v, want %v", got, want)
					}
					if n := w.sessions(); n != 0 {
						t.Errorf("%d tokens are stored", n)
					}
				})
			}
		})
	}
}

// TestTheAuditLogIsToldWhyATenantLoginFailed, which the client is not.
func TestTheAuditLogIsToldWhyATenantLoginFailed(t *testing.T) {
	for _, c := range []struct {
		name  string
		login session.TenantLogin
		want  auth.Event
	}{
		{"nobody has the name", byPassword("nobody", right), auth.Event{Name: "nobody", Reason: auth.ReasonUnknown}},
		{"the password is wrong", byPassword("ANN", wrong), auth.Event{Name: "ANN", Subject: annID, Reason: auth.ReasonPassword}},
		{"the account is disabled", byPassword("bob", right), auth.Event{Name: "bob", Subject: bobID, Reason: auth.ReasonDisabled}},
		{"the account is no member", byPassword("dan", right), auth.Event{Name: "dan", Subject: danAccount, Reason: auth.ReasonTenant}},
		{"nobody has the tenant's name", in(byPassword("ann", right), "Nowhere Ltd", ""), auth.Event{Name: "ann", Subject: annID, Reason: auth.ReasonTenant}},
		{"nobody has the unit", in(byPassword("ann", right), "Acme Ltd", foreignUnit), auth.Event{Name: "ann", Subject: annID, Reason: auth.ReasonTenant}},
		{"the password and the tenant are wrong", in(byPassword("ann", wrong), "Nowhere Ltd", ""), auth.Event{Name: "ann", Subject: annID, Reason: auth.ReasonPassword}},
		{"nobody has the identifier", byIdentifier("id-of-nobody", rightPass), auth.Event{Name: "id-of-nobody", Reason: auth.ReasonUnknown}},
		{"the pass code is wrong", byIdentifier("id-of-ann", wrongPass), auth.Event{Name: "id-of-ann", Subject: annID, Reason: auth.ReasonPassword}},
		{"nobody has the code", byCode(wrongCode), auth.Event{Reason: auth.ReasonUnknown}},
		{"the account of the code is disabled", byCode(bobCode), auth.Event{Subject: bobID, Reason: auth.ReasonDisabled}},
		{"the account of the code is no member", byCode(danCode), auth.Event{Subject: danAccount, Reason: auth.ReasonTenant}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTenantWorld(t)
			_, err := w.tenants.LoginTenant(w.ctx, c.login)
			wantRefusal(t, err, auth.InvalidCredential, c.want.Reason)
			c.want.Kind, c.want.Realm, c.want.Dialect, c.want.Code = auth.LoginEvent, realm, "crm_token", auth.InvalidCredential
			c.want.Address = netip.MustParseAddr("192.0.2.1")
			if got := w.last(); got != c.want || len(w.events) != 1 {
				t.Errorf("got %+v, want %+v", w.events, c.want)
			}
			w.wantNoTenantSecret()
		})
	}
}

func TestATenantLoginIsAuditedOnceWithoutItsSecrets(t *testing.T) {
	for name, l := range annIn() {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t)
			issued := w.enter(l)
			e := w.last()
			if !e.OK || e.Subject != annID || e.TokenID != issued.ID || e.Kind != auth.LoginEvent || len(w.events) != 1 {
				t.Errorf("audited was %+v", w.events)
			}
			if e.Name != l.Username+l.Identifier {
				t.Errorf("the name is %q", e.Name)
			}
			w.wantNoTenantSecret(issued)
		})
	}
}

func (w *tenantWorld) wantNoTenantSecret(issued ...session.Issued) {
	w.t.Helper()
	wantNoSecret(w.t, printed(w.events), append(secretsOf(issued...), rightPass, wrongPass, annCode, bobCode, danCode, wrongCode, tenantKey))
}

func TestAnAddressOffTheAllowListIsToldOnlyToTheLogByEveryWay(t *testing.T) {
	for name, l := range annIn() {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t)
			w.changeAccount(annID, func(a *store.Account) { a.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
			_, err := w.tenants.LoginTenant(w.ctx, l)
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonAddress)
			w.ctx = session.WithAddress(w.ctx, netip.MustParseAddr("10.1.2.3"))
			w.enter(l)
		})
	}
}

func TestAnotherRealmHasNoneOfIt(t *testing.T) {
	for name, l := range annIn() {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t)
			issued := w.enter(l)
			elsewhere := w.crm(session.Config{Realm: "elsewhere"})
			_, err := elsewhere.LoginTenant(w.ctx, l)
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
			wantRefusal(t, elsewhere.Release(w.ctx, issued.Token.Reveal()), auth.InvalidCredential, auth.ReasonUnknown)
			_, err = w.deps.Resolver.Resolve(w.ctx, "elsewhere", bearerOf(issued.Token))
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
		})
	}
}

// TestACodeOutlivesTheKeyItWasKeptUnder: the ring gets a new first key, and
// codes stay as they are.
func TestACodeOutlivesTheKeyItWasKeptUnder(t *testing.T) {
	w := newTenantWorld(t)
	w.useRing(token.RingFile{Name: "second", Text: token.NewRing()}, w.ringFile)
	w.enter(byCode(annCode))
	w.useRing(token.RingFile{Name: "third", Text: token.NewRing()})
	_, err := w.tenants.LoginTenant(w.ctx, byCode(annCode))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
}

func TestAnOldHashIsMadeAnewByThePasswordAlone(t *testing.T) {
	w := newTenantWorld(t)
	w.outdated()
	before, err := w.Accounts.Account(w.ctx, realm, annID)
	must(t, err)
	w.enter(byIdentifier("id-of-ann", rightPass))
	w.enter(byCode(annCode))
	after, err := w.Accounts.Account(w.ctx, realm, annID)
	must(t, err)
	if !after.Password.Equal(before.Password) {
		t.Fatal("a pass code was stored as the password")
	}
	w.hasher.work.Store(0)
	w.enter(byPassword("ann", right))
	after, err = w.Accounts.Account(w.ctx, realm, annID)
	must(t, err)
	if after.Password.Equal(before.Password) || w.hasher.Outdated(after.Password) {
		t.Error("the hash is the old one")
	}
	if n := w.hasher.work.Load(); n != 1 {
		t.Errorf("%d hashes were compared", n)
	}
	w.enter(byPassword("ann", right))
}
