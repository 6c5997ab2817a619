package session_test

import (
	"context"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestAnAccountHasOneCounterForAllWaysThatNameIt: the way, the tenant and the
// dialect change nothing. What was right of a login that failed counts too, or
// the lock would tell which passwords are.
func TestAnAccountHasOneCounterForAllWaysThatNameIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong []session.TenantLogin
	}{
		{"a wrong password", []session.TenantLogin{byPassword("ann", wrong), byPassword("ANN", wrong), byPassword("ann@example.com", wrong)}},
		{"a wrong pass code", []session.TenantLogin{byIdentifier("id-of-ann", wrongPass), byIdentifier("ID-OF-ANN", wrongPass)}},
		{"a right password for a wrong tenant", []session.TenantLogin{in(byPassword("ann", right), "Nowhere Ltd", ""), in(byPassword("ann", right), "Other Ltd", "")}},
		{"a right pass code for a wrong unit", []session.TenantLogin{in(byIdentifier("id-of-ann", rightPass), "Acme Ltd", foreignUnit)}},
		{"some of each", []session.TenantLogin{byPassword("ann", wrong), byIdentifier("id-of-ann", wrongPass)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTenantWorld(t)
			for i := range 5 {
				w.refuse(1, c.wrong[i%len(c.wrong)])
			}
			work := w.hasher.work.Load()
			for name, l := range annIn() {
				if name == "by code" {
					continue
				}
				issued, err := w.tenants.LoginTenant(w.ctx, l)
				wantThrottled(t, err, 5*time.Minute)
				wantNothing(t, issued)
			}
			_, err := w.password.LoginPassword(w.ctx, "ann", auth.NewSecret(right))
			wantThrottled(t, err, 5*time.Minute)
			if w.hasher.work.Load() != work {
				t.Error("a hash was worked out for a locked account")
			}
			w.enter(byCode(annCode)) // names no account
			w.refuse(1, byPassword("dan", right))
		})
	}
}

func TestASuccessByPasswordOrIdentifierClearsTheCounterOfTheAccount(t *testing.T) {
	w := newTenantWorld(t)
	for _, l := range []session.TenantLogin{byPassword("ann", right), byIdentifier("id-of-ann", rightPass)} {
		w.refuse(4, byPassword("ann", wrong))
		w.enter(l)
	}
	w.fail(4, "ann")
	w.enter(byCode(annCode))
	w.fail(1, "ann")
	_, err := w.tenants.LoginTenant(w.ctx, byPassword("ann", right))
	wantThrottled(t, err, 5*time.Minute)
}

func TestANameOfNobodyIsLockedAsAnAccountIs(t *testing.T) {
	for name, l := range map[string]session.TenantLogin{
		"a username": byPassword("nobody", right), "an identifier": byIdentifier("id-of-nobody", rightPass), "no name at all": byIdentifier("a\x00b", rightPass),
	} {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t)
			w.refuse(5, l)
			_, err := w.tenants.LoginTenant(w.ctx, l)
			wantThrottled(t, err, 5*time.Minute)
			w.enter(byPassword("ann", right))
		})
	}
}

// TestFiveWrongCodesLockTheCodesOfATenantForAnAddress, and nothing else.
func TestFiveWrongCodesLockTheCodesOfATenantForAnAddress(t *testing.T) {
	w := newTenantWorld(t)
	w.join(annID, otherTenant, foreignUnit)
	for i, tenant := range []string{"Acme Ltd", "acme ltd", acmeTenant, "ACME  LTD", "Acme Ltd"} {
		w.refuse(1, in(byCode(wrongCode+strconv.Itoa(i)), tenant, ""))
	}
	issued, err := w.tenants.LoginTenant(w.ctx, byCode(annCode))
	wantThrottled(t, err, 5*time.Minute)
	wantNothing(t, issued)
	w.enter(in(byCode(annCode), "Other Ltd", ""))
	w.enter(byPassword("ann", right))
	w.enter(byIdentifier("id-of-ann", rightPass))
	w.ctx = session.WithAddress(w.ctx, netip.MustParseAddr("192.0.2.2"))
	w.enter(byCode(annCode))
}

// TestARightCodeDoesNotClearTheCounter: whoever has one could try all others.
func TestARightCodeDoesNotClearTheCounter(t *testing.T) {
	w := newTenantWorld(t)
	for range 4 {
		w.refuse(1, byCode(wrongCode))
		w.enter(byCode(annCode))
	}
	w.refuse(1, byCode(danCode)) // a code of somebody, but of no member
	_, err := w.tenants.LoginTenant(w.ctx, byCode(annCode))
	wantThrottled(t, err, 5*time.Minute)
}

func TestCodesForTenantsThatThereAreNoneOfAreLockedToo(t *testing.T) {
	for _, tenant := range []string{"Nowhere Ltd", "a\x00b", ""} {
		w := newTenantWorld(t)
		w.refuse(5, in(byCode(annCode), tenant, ""))
		_, err := w.tenants.LoginTenant(w.ctx, in(byCode(annCode), tenant, ""))
		wantThrottled(t, err, 5*time.Minute)
		w.enter(byCode(annCode))
	}
}

// TestAHundredFailuresOfAnyKindLockAnAddress for every way in.
func TestAHundredFailuresOfAnyKindLockAnAddress(t *testing.T) {
	w := newTenantWorld(t)
	w.addKey(tenantKey, store.Key{Tenant: acmeTenant})
	for i := range 25 {
		n := strconv.Itoa(i)
		w.refuse(1, byPassword("nobody"+n, right))
		w.refuse(1, byIdentifier("id-of-nobody"+n, rightPass))
		w.refuse(1, in(byCode(wrongCode), "Nowhere "+n, ""))
		_, err := w.tenants.LoginTenantKey(w.ctx, auth.NewSecret("api_nobody"+n), "")
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	}
	for _, l := range annIn() {
		_, err := w.tenants.LoginTenant(w.ctx, l)
		wantThrottled(t, err, 5*time.Minute)
	}
	_, err := w.tenants.LoginTenantKey(w.ctx, auth.NewSecret(tenantKey), "")
	wantThrottled(t, err, 5*time.Minute)
	w.ctx = session.WithAddress(w.ctx, netip.MustParseAddr("192.0.2.2"))
	w.enter(byPassword("ann", right))
	_, err = w.tenants.LoginTenantKey(w.ctx, auth.NewSecret(tenantKey), "")
	must(t, err)
}

// TestAFaultOfOursCountsForNoTenantLogin: four failures, where the fifth locks,
// and then more faults than an address may have failures.
func TestAFaultOfOursCountsForNoTenantLogin(t *testing.T) {
	wrongs := map[string]session.TenantLogin{
		"by password": byPassword("ann", wrong), "by identifier": byIdentifier("id-of-ann", wrongPass), "by code": byCode(wrongCode),
	}
	for way, l := range annIn() {
		for _, what := range []string{"account", "identifier", "tenant", "membership", "unit"} {
			if way == "by password" && what == "identifier" {
				continue
			}
			t.Run(way+" while the "+what+" cannot be looked up", func(t *testing.T) {
				w := newTenantWorld(t)
				w.refuse(4, wrongs[way])
				w.down = what
				for range 105 {
					issued, err := w.tenants.LoginTenant(w.ctx, l)
					if err == nil || auth.CodeOf(err) != auth.Unavailable {
						t.Fatalf("got %v, want a fault of ours", err)
					}
					wantNothing(t, issued)
				}
				w.down = ""
				w.enter(l)
			})
		}
	}
}

// TestAFaultOfOursComesBeforeWhatIsWrongWithTheCaller: a hash queue that is full is told
// as that, also for a name of nobody.
func TestAFaultOfOursComesBeforeWhatIsWrongWithTheCaller(t *testing.T) {
	for name, l := range map[string]session.TenantLogin{
		"somebody": byPassword("ann", right), "nobody": byPassword("nobody", right), "nobody's identifier": byIdentifier("nobody", rightPass),
		"nowhere": in(byPassword("ann", right), "Nowhere Ltd", ""),
	} {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t)
			w.hasher.fail = auth.Fail(auth.Unavailable, auth.ReasonQueue, nil)
			_, err := w.tenants.LoginTenant(w.ctx, l)
			wantRefusal(t, err, auth.Unavailable, auth.ReasonQueue)
			w.hasher.fail = nil
			ended, cancel := context.WithCancel(w.ctx)
			cancel()
			_, err = w.tenants.LoginTenant(ended, l)
			if err == nil || auth.CodeOf(err) != auth.Unavailable {
				t.Errorf("got %v", err)
			}
		})
	}
}
