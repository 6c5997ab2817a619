package session_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func TestTheTokensOfAClientSpeakForItsOwner(t *testing.T) {
	w := newClientWorld(t, usual)
	got := w.tokens()
	if got.Access.TTL != time.Hour || got.Refresh.Token.Empty() || got.Access.Token.Equal(got.Refresh.Token) {
		t.Errorf("issued were %+v", got)
	}
	p, err := w.guard(got.Access.Token)
	must(t, err)
	if p.Subject != annID || p.Tenant != clientTenant || !p.HasRole("buyer") || p.Scopes.String() != "orders stock prices" ||
		p.Permissions != auth.Read || p.KeyID != 1 || p.Dialect != "oauth2" {
		t.Errorf("the token is one of %+v", p)
	}
	e := w.events[len(w.events)-1]
	if len(w.events) != 1 || e.Kind != auth.LoginEvent || !e.OK || e.Name != w.annClient || e.Subject != annID || e.KeyID != 1 || e.TokenID != got.Access.ID {
		t.Errorf("audited was %+v", w.events)
	}
	wantNoSecret(t, printed(w.events), w.secretsIn(got))
}

func TestTheTokensOfAKeyOfNoAccountSpeakForTheKey(t *testing.T) {
	w := newClientWorld(t, usual)
	got, err := w.ClientTokens(w.ctx, w.as(w.tenantClient, tenantSecret), nil)
	must(t, err)
	p, err := w.guard(got.Access.Token)
	must(t, err)
	if p.Subject != "key:"+w.tenantClient || p.Tenant != clientTenant || p.Scopes.String() != "stock" {
		t.Errorf("the token is one of %+v", p)
	}
}

func TestAClientGetsTheScopesItAsksForAndNoOthers(t *testing.T) {
	for _, c := range []struct {
		name  string
		asked auth.Scope
		want  string
		ok    bool
	}{
		{"none is all", nil, "orders stock prices", true},
		{"one", auth.Scope{"stock"}, "stock", true},
		{"two in another order", auth.Scope{"prices", "orders"}, "prices orders", true},
		{"one that the key lacks", auth.Scope{"admin"}, "", false},
		{"one of each", auth.Scope{"stock", "admin"}, "", false},
		{"another case", auth.Scope{"Stock"}, "", false},
		{"the empty name", auth.Scope{""}, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newClientWorld(t, usual)
			got, err := w.ClientTokens(w.ctx, w.ann(), c.asked)
			if !c.ok {
				wantRefusal(t, err, auth.InsufficientScope, auth.ReasonScope)
				wantNothing(t, got.Access)
				wantNothing(t, got.Refresh)
				if w.live() != 0 || w.count(auth.LoginEvent, false) != 1 {
					t.Errorf("%d tokens, audited %+v", w.live(), w.events)
				}
				return
			}
			must(t, err)
			if got.Access.Principal.Scopes.String() != c.want {
				t.Errorf("granted %q", got.Access.Principal.Scopes)
			}
		})
	}
}

func TestWithoutARefreshLifeThereIsOnlyAnAccessToken(t *testing.T) {
	w := newClientWorld(t, session.Config{TTL: time.Hour})
	got := w.tokens()
	if !got.Refresh.Token.Empty() || w.live() != 1 {
		t.Errorf("%d rows: %+v", w.live(), got)
	}
	w.wantGood(got.Access.Token)
}

func TestARefreshTokenIsNoAccessToken(t *testing.T) { // J16, A09
	w := newClientWorld(t, usual)
	got := w.tokens()
	_, err := w.guard(got.Refresh.Token)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	_, err = w.RefreshTokens(w.ctx, w.ann(), got.Access.Token, nil)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
	w.wantGood(got.Access.Token)
}

func TestATokenIsStoredBeforeItIsAnswered(t *testing.T) {
	w := newClientWorld(t, usual)
	w.rows.beforeInsert = down
	got, err := w.ClientTokens(w.ctx, w.ann(), nil)
	wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
	wantNothing(t, got.Access)
	wantNothing(t, got.Refresh)
}

func TestTokensDieWithTheKeyOfTheirClient(t *testing.T) {
	for name, kill := range map[string]func(*clientWorld){
		"the key is revoked":      func(w *clientWorld) { w.editKey(w.annClient, func(k *store.Key) { k.Revoked = w.now() }) },
		"the key expires":         func(w *clientWorld) { w.editKey(w.annClient, func(k *store.Key) { k.Expires = w.now() }) },
		"the account is disabled": func(w *clientWorld) { w.editAccount(annID, func(a *store.Account) { a.Disabled = true }) },
		"the account is deleted":  func(w *clientWorld) { must(w.t, w.Accounts.DeleteAccount(w.ctx, realm, annID)) },
		"the account leaves the tenant": func(w *clientWorld) {
			must(w.t, w.Memberships.DeleteMembership(w.ctx, realm, annID, clientTenant))
		},
		"the tenant is deleted": func(w *clientWorld) { must(w.t, w.Tenants.DeleteTenant(w.ctx, realm, clientTenant)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newClientWorld(t, usual)
			got, c := w.tokens(), w.ann()
			kill(w)
			w.wantDead(got.Access.Token)
			if i, err := w.Introspect(w.ctx, c, got.Access.Token); err != nil || (i.Active && name != "the account is disabled") {
				t.Errorf("%+v, %v", i, err) // a disabled account's client is none: see Client
			}
			_, err := w.Client(w.ctx, w.annClient, auth.NewSecret(clientSecret))
			if auth.CodeOf(err) != auth.InvalidCredential {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAJWTOfAClientVerifiesWithAPublishedKey and is looked up all the same.
func TestAJWTOfAClientIsGoodUntilItIsRevoked(t *testing.T) {
	cfg := usual
	cfg.JWT, cfg.Access = true, &token.Access{Issuer: "https://api.example.com/oauth2"}
	cfg.Claims = func(b session.Bearer) map[string]any {
		return map[string]any{"client_id": b.KeyID, "scope": b.Scopes.String()}
	}
	w := newClientWorld(t, cfg)
	set, err := w.JWKS(w.ctx)
	must(t, err)
	if len(set) < 100 {
		t.Errorf("before the first token the keys are %s", set)
	}
	got := w.tokens("stock")
	claims, err := w.deps.Signers.Verify(w.ctx, realm, got.Access.Token.Reveal())
	must(t, err)
	if claims.Access == nil || claims.Subject != annID || claims.Extra["client_id"] != 1.0 || claims.Extra["scope"] != "stock" {
		t.Errorf("the token says %+v", claims)
	}
	if w.deps.Signers.Ours(got.Refresh.Token.Reveal()) {
		t.Error("the refresh token is a JWT")
	}
	w.wantGood(got.Access.Token)
	next := w.traded(got)
	w.wantGood(got.Access.Token, next.Access.Token)
	must(t, w.RevokeToken(w.ctx, w.ann(), next.Access.Token))
	w.wantDead(next.Access.Token)
	w.wantGood(got.Access.Token)
}
