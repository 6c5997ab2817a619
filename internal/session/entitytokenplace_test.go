package session_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestWhoMayHaveWhichEntityToken(t *testing.T) {
	const foreign, notOwn = auth.ReasonTenant, auth.ReasonSubject
	for _, c := range []struct {
		name         string
		key, caller  string
		entity, user string
		account      string // of the place
		code         auth.Code
		reason       auth.Reason
	}{
		{"a user has their own", acmeKey, "Ann", "Acme Ltd", "Ann", annID, 0, ""},
		{"by their id", acmeKey, "Ann", "Acme Ltd", annID, annID, 0, ""},
		{"by another spelling of both names", acmeKey, "Ann", "ACME  ltd", "aNN", annID, 0, ""},
		{"by the id of the entity", acmeKey, "Ann", acmeID, "Ann", annID, 0, ""},
		{"with a key of the gateway", gatewayKey, "Ann", "Acme Ltd", "Ann", annID, 0, ""},
		{"with a key of their own", ownKey, "Ann", "Acme Ltd", "Ann", annID, 0, ""},
		{"an admin of the entity has that of a member", acmeKey, "eve", "Acme Ltd", "ann", annID, 0, ""},
		{"an admin by account too", gatewayKey, "root", "Acme Ltd", "ann", annID, 0, ""},

		{"a member has not that of another", acmeKey, "dora", "Acme Ltd", "ann", "", auth.InsufficientScope, notOwn},
		{"nor of nobody", acmeKey, "dora", "Acme Ltd", "nobody", "", auth.InsufficientScope, notOwn},
		{"nor of no member", acmeKey, "dora", "Acme Ltd", "carol", "", auth.InsufficientScope, notOwn},
		{"an admin elsewhere is none here", gatewayKey, "eve", "Beta", "ann", "", auth.InsufficientScope, notOwn},
		{"another role is not admin", betaKey, "eve", "Beta", "ann", "", auth.InsufficientScope, notOwn},
		{"an admin is told that a user is no member", acmeKey, "eve", "Acme Ltd", "carol", "", auth.NotFound, notOwn},
		{"or does not exist", acmeKey, "eve", "Acme Ltd", "nobody", "", auth.NotFound, notOwn},
		{"or is disabled", acmeKey, "eve", "Acme Ltd", "bob", "", auth.NotFound, notOwn},

		{"a key of one entity is none of another", acmeKey, "Ann", "Beta", "Ann", "", auth.InsufficientScope, foreign},
		{"a foreign entity", gatewayKey, "root", "Beta", "root", "", auth.InsufficientScope, foreign},
		{"an entity that does not exist reads as a foreign one", gatewayKey, "root", "Gamma", "root", "", auth.InsufficientScope, foreign},
		{"who belongs nowhere has none", gatewayKey, "carol", "Acme Ltd", "carol", "", auth.InsufficientScope, foreign},

		{"a key of an entity that the user does not belong to", betaKey, "root", "Acme Ltd", "root", "", auth.InsufficientScope, foreign},
		{"a key of another account", ownKey, "dora", "Acme Ltd", "dora", "", auth.InvalidCredential, auth.ReasonMismatch},
		{"a key of nobody", "api_nobody", "Ann", "Acme Ltd", "Ann", "", auth.InvalidCredential, auth.ReasonUnknown},
		{"a user token of nobody", acmeKey, "nobody", "Acme Ltd", "Ann", "", auth.InvalidCredential, auth.ReasonUnknown},
		{"a disabled caller", acmeKey, "bob", "Acme Ltd", "bob", "", auth.InvalidCredential, auth.ReasonDisabled},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := inMemory(t)
			p, err := w.EntityPlace(w.ctx, headers(c.key, c.caller), c.entity, c.user)
			if c.account == "" {
				wantRefusal(t, err, c.code, c.reason)
				return
			}
			must(t, err)
			if p.Tenant != acmeID || p.Account != c.account {
				t.Errorf("the place is %+v", p)
			}
			w.create(p)
			w.create(session.Place{Tenant: acmeID, Account: c.account})
			if n := len(w.rows()); n != 1 {
				t.Errorf("%d tokens: one place has several names", n)
			}
		})
	}
}

func TestAllThreePartsOfACallerAreNeeded(t *testing.T) {
	w := inMemory(t)
	entity := w.create(place).Token.Reveal()
	whole := headers(acmeKey, "Ann")
	for name, change := range map[string]func(*bearer.Credential){
		"no key":                             func(c *bearer.Credential) { c.Key = "" },
		"no user":                            func(c *bearer.Credential) { c.User = "" },
		"no token":                           func(c *bearer.Credential) { c.Token = "" },
		"nothing":                            func(c *bearer.Credential) { *c = bearer.Credential{} },
		"another user":                       func(c *bearer.Credential) { c.User = "dora" },
		"a user of nobody":                   func(c *bearer.Credential) { c.User = "nobody" },
		"an entity token as the token":       func(c *bearer.Credential) { c.Token = entity },
		"an entity token in place of both":   func(c *bearer.Credential) { c.User, c.Token, c.Entity = "", "", entity },
		"an entity token beside a bad token": func(c *bearer.Credential) { c.Token, c.Entity = "nobody's", entity },
		"another kind":                       func(c *bearer.Credential) { c.Kind = auth.Bearer },
	} {
		t.Run(name, func(t *testing.T) {
			c := whole
			change(&c)
			if _, err := w.EntityPlace(w.ctx, c, "Acme Ltd", "Ann"); err == nil || auth.CodeOf(err) != auth.InvalidCredential {
				t.Errorf("got %v", err)
			}
		})
	}
	for name, c := range map[string]bearer.Credential{
		"the user's id":             {Kind: auth.KeyUserToken, Key: acmeKey, User: annID, Token: userToken("Ann")},
		"a dead entity token aside": {Kind: auth.KeyUserToken, Key: acmeKey, User: "Ann", Token: userToken("Ann"), Entity: "an old one"},
	} {
		if _, err := w.EntityPlace(w.ctx, c, "Acme Ltd", "Ann"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUserTokensOfEveryDialectCount, and no other kind of token does.
func TestUserTokensOfEveryDialectCount(t *testing.T) {
	w := inMemory(t)
	for _, c := range []struct {
		name string
		row  store.Session
		ok   bool
	}{
		{"one of management", store.Session{Dialect: "management"}, true},
		{"one of an operator", store.Session{Dialect: "admin"}, true},
		{"one for the entity", store.Session{Tenant: acmeID}, true},
		{"one for another entity", store.Session{Tenant: betaID}, false},
		{"a refresh token", store.Session{Kind: store.RefreshToken}, false},
		{"a token that is used once", store.Session{Kind: store.OneTimeToken}, false},
		{"a used token", store.Session{Retired: w.now()}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.row.ID, c.row.Subject = c.name, annID
			text := "planted " + c.name
			w.addToken(text, c.row)
			_, err := w.EntityPlace(w.ctx, bearer.Credential{Kind: auth.KeyUserToken, Key: gatewayKey, User: "ann", Token: text}, "Acme Ltd", "ann")
			if (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestARoleOfATokenForOneEntityIsNotOneOfAnother(t *testing.T) {
	w := inMemory(t)
	for tenant, code := range map[string]auth.Code{acmeID: auth.NotFound, betaID: auth.InsufficientScope} {
		text := "planted token for " + tenant
		w.addToken(text, store.Session{ID: tenant, Subject: eveID, Tenant: tenant})
		c := bearer.Credential{Kind: auth.KeyUserToken, Key: gatewayKey, User: "eve", Token: text}
		_, err := w.EntityPlace(w.ctx, c, tenant, "nobody")
		wantRefusal(t, err, code, auth.ReasonSubject)
	}
}

func TestAnExpiredUserTokenIsToldFromAnExpiredKey(t *testing.T) {
	w := inMemory(t)
	id := w.addKey("api_planted0key0expires0", store.Key{Tenant: acmeID, Expires: w.now().Add(time.Hour)})
	ask := func(key string) error {
		_, err := w.EntityPlace(w.ctx, headers(key, "Ann"), "Acme Ltd", "Ann")
		return err
	}
	must(t, ask("api_planted0key0expires0"))
	w.sleep(time.Hour)
	err := ask("api_planted0key0expires0")
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
	wantErrKey(t, err, true)
	w.sleep(userTTL - time.Hour)
	err = ask(acmeKey)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
	wantErrKey(t, err, false)
	w.sleep(time.Hour) // and then it is forgotten
	wantRefusal(t, ask(acmeKey), auth.InvalidCredential, auth.ReasonUnknown)
	if id == 0 {
		t.Fatal("no key")
	}
}

func TestEntityCallersKeepToTheAllowLists(t *testing.T) {
	elsewhere := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, limit := range map[string]func(*entityWorld) string{
		"of the account": func(w *entityWorld) string {
			a, err := w.Accounts.Account(w.ctx, realm, annID)
			must(t, err)
			a.Addresses = elsewhere
			must(t, w.Accounts.UpdateAccount(w.ctx, a))
			return acmeKey
		},
		"of the key": func(w *entityWorld) string {
			w.addKey("api_planted0key0limited0", store.Key{Tenant: acmeID, Addresses: elsewhere})
			return "api_planted0key0limited0"
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			key := limit(w)
			_, err := w.EntityPlace(w.ctx, headers(key, "Ann"), "Acme Ltd", "Ann")
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonAddress)
			ctx := session.WithAddress(w.ctx, netip.MustParseAddr("::ffff:10.1.2.3"))
			_, err = w.EntityPlace(ctx, headers(key, "Ann"), "Acme Ltd", "Ann")
			must(t, err)
		})
	}
}

func TestAnEntityOfOneRealmIsNoneOfAnother(t *testing.T) {
	w := inMemory(t)
	elsewhere := w.service(session.Config{Realm: "elsewhere"})
	_, err := elsewhere.EntityPlace(w.ctx, headers(acmeKey, "Ann"), "Acme Ltd", "Ann")
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	made := w.create(place)
	if _, err := elsewhere.EntityToken(w.ctx, place); !auth.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
	if err := elsewhere.DeleteEntityToken(w.ctx, place); !auth.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
	w.wantGood(made.Token)
}
