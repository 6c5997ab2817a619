package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// plant adds a token of ann's as any dialect may have issued it.
func (w *clientWorld) plant(edit func(*store.Session)) auth.Secret {
	w.t.Helper()
	now := store.Precise(w.now())
	text := "planted-token-of-another-dialect"
	row := store.Session{
		ID: "5b2f7c52-52a3-4c80-a4a0-0e2a54b1de01", Realm: realm, Digest: auth.DigestOf(text), Dialect: "management",
		Kind: store.AccessToken, Subject: annID, Issued: now, Updated: now, Expires: now.Add(time.Hour),
	}
	if edit != nil {
		edit(&row)
	}
	row.Keep = row.Expires.Add(time.Hour)
	must(w.t, w.Sessions.InsertSession(w.ctx, row))
	return auth.NewSecret(text)
}

func TestAClientIsToldOfItsTokens(t *testing.T) {
	forEachStore(t, usual, func(t *testing.T, w *clientWorld) {
		got := w.tokens("stock")
		for name, c := range map[string]struct {
			issued session.Issued
			kind   session.TokenKind
		}{"the access token": {got.Access, session.KindAccess}, "the refresh token": {got.Refresh, session.KindRefresh}} {
			i, err := w.Introspect(w.ctx, w.ann(), c.issued.Token)
			must(t, err)
			if !i.Active || i.Kind != c.kind || i.Scopes.String() != "stock" || i.ClientID != w.annClient || i.Username != "Ann" ||
				i.Subject != annID || i.ID != c.issued.ID || !i.Expires.Equal(c.issued.Expires) || !i.Issued.Equal(c.issued.Issued) {
				t.Errorf("%s is %+v", name, i)
			}
		}
	})
}

// TestAnyTokenOfItsSubjectIsAClientsBusiness, whichever dialect issued it and
// whichever key obtained it; nobody else's is.
func TestAnyTokenOfItsSubjectIsAClientsBusiness(t *testing.T) {
	for name, edit := range map[string]func(*store.Session){
		"one of another dialect":    nil,
		"one of a tenant":           func(s *store.Session) { s.Tenant = clientTenant },
		"one with an identity":      func(s *store.Session) { s.Dialect, s.Identity = "login_token", "i-1" },
		"one of another key":        func(s *store.Session) { s.Dialect, s.KeyID = "timed_login", 2 },
		"one that idles":            func(s *store.Session) { s.Dialect, s.Idle = "crm_token", time.Minute },
		"one of a key that expires": func(s *store.Session) { s.KeyID = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newClientWorld(t, usual)
			text := w.plant(edit)
			w.editKey(w.annClient2, func(k *store.Key) { k.Expires = store.Precise(w.now()).Add(30 * time.Second) })
			i, err := w.Introspect(w.ctx, w.ann(), text)
			if err != nil || !i.Active || i.Subject != annID {
				t.Fatalf("%+v, %v", i, err)
			}
			if p, err := w.guard(text); err != nil || (i.ClientID != "" && !p.Expires.Equal(i.Expires)) {
				t.Errorf("introspected it ends at %v, for the guard it is %+v, %v", i.Expires, p, err)
			}
			for _, stranger := range []session.Client{w.as(w.bobClient, bobSecret), w.as(w.tenantClient, tenantSecret), {}} {
				i, err := w.Introspect(w.ctx, stranger, text)
				if err != nil || i.Active || i.Subject != "" || i.ID != "" {
					t.Errorf("a stranger is told %+v, %v", i, err)
				}
				must(t, w.RevokeToken(w.ctx, stranger, text))
			}
			w.wantGood(text)
			must(t, w.RevokeToken(w.ctx, w.ann(), text))
			w.wantDead(text)
			if e := w.events[len(w.events)-1]; e.Kind != auth.RevocationEvent || e.TokenID != "5b2f7c52-52a3-4c80-a4a0-0e2a54b1de01" || e.Subject != annID {
				t.Errorf("audited was %+v", e)
			}
		})
	}
}

// TestAClientIsToldWhatATokenIsFor: guards take neither of these by itself.
func TestAClientIsToldWhatATokenIsFor(t *testing.T) {
	for _, kind := range []session.TokenKind{session.KindOneTime, session.KindEntity} {
		t.Run(string(kind), func(t *testing.T) {
			w := newClientWorld(t, usual)
			text := w.plant(func(s *store.Session) { s.Kind = kind })
			if i, err := w.Introspect(w.ctx, w.ann(), text); err != nil || !i.Active || i.Kind != kind || i.Subject != annID {
				t.Errorf("%+v, %v", i, err)
			}
			if i, err := w.Introspect(w.ctx, w.as(w.bobClient, bobSecret), text); err != nil || i.Active {
				t.Errorf("a stranger is told %+v, %v", i, err)
			}
			w.wantDead(text)
			must(t, w.RevokeToken(w.ctx, w.ann(), text))
			if i, err := w.Introspect(w.ctx, w.ann(), text); err != nil || i.Active {
				t.Errorf("revoked it is %+v, %v", i, err)
			}
		})
	}
}

func TestAKeyOfNoAccountIsToldOfItsOwnTokens(t *testing.T) {
	w := newClientWorld(t, usual)
	c := w.as(w.tenantClient, tenantSecret)
	got, err := w.ClientTokens(w.ctx, c, nil)
	must(t, err)
	i, err := w.Introspect(w.ctx, c, got.Access.Token)
	if err != nil || !i.Active || i.Subject != "key:"+w.tenantClient || i.Username != i.Subject {
		t.Errorf("%+v, %v", i, err)
	}
	must(t, w.RevokeToken(w.ctx, c, got.Access.Token))
	w.wantDead(got.Access.Token)
}

// TestWhatIsNotGoodIsInactive, and says nothing more.
func TestWhatIsNotGoodIsInactive(t *testing.T) {
	for name, edit := range map[string]func(*clientWorld, *store.Session){
		"it has expired": func(w *clientWorld, s *store.Session) { s.Issued, s.Expires = w.now().Add(-time.Hour), w.now() },
		"it idled": func(w *clientWorld, s *store.Session) {
			s.Idle = time.Minute
			s.Updated = store.Precise(w.now()).Add(-time.Minute - authn.IdlePrecision(time.Minute))
		},
		"it was used":                      func(w *clientWorld, s *store.Session) { s.Retired = w.now() },
		"its key is revoked":               func(_ *clientWorld, s *store.Session) { s.KeyID = 2 },
		"its account is not of its tenant": func(_ *clientWorld, s *store.Session) { s.Tenant = "t-other" },
		"it is of another realm":           func(_ *clientWorld, s *store.Session) { s.Realm = "elsewhere" },
		"it is a refresh token of nobody":  func(_ *clientWorld, s *store.Session) { s.Kind, s.KeyID = store.RefreshToken, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newClientWorld(t, usual)
			must(t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: "t-other", Realm: realm, Name: "Other"}))
			text := w.plant(func(s *store.Session) { edit(w, s) })
			w.editKey(w.annClient2, func(k *store.Key) { k.Revoked = w.now() })
			if i, err := w.Introspect(w.ctx, w.ann(), text); err != nil || i.Active || i.Subject != "" || i.ID != "" || !i.Expires.IsZero() {
				t.Errorf("%+v, %v", i, err)
			}
			w.wantDead(text)
		})
	}
	w := newClientWorld(t, usual)
	for _, text := range []string{"", "nobody's", clientSecret} {
		if i, err := w.Introspect(w.ctx, w.ann(), auth.NewSecret(text)); err != nil || i.Active {
			t.Errorf("%q is %+v, %v", text, i, err)
		}
		must(t, w.RevokeToken(w.ctx, w.ann(), auth.NewSecret(text)))
	}
	if n := w.count(auth.RevocationEvent, true); n != 0 {
		t.Errorf("%d revocations of nothing were audited", n)
	}
}

func TestARevocationIsEffectiveAtOnceAndAuditedOnce(t *testing.T) {
	forEachStore(t, usual, func(t *testing.T, w *clientWorld) {
		first := w.tokens()
		second := w.traded(first)
		for range 2 { // RFC 7009 section 2.2: a token that is gone is no error
			must(t, w.RevokeToken(w.ctx, w.ann(), first.Access.Token))
		}
		w.wantDead(first.Access.Token)
		w.wantGood(second.Access.Token) // an access token goes alone
		must(t, w.RevokeToken(w.ctx, w.ann(), second.Refresh.Token))
		w.wantDead(second.Access.Token)
		_, err := w.trade(second)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
		if n := w.count(auth.RevocationEvent, true); n != 2 {
			t.Errorf("%d revocations were audited", n)
		}
	})
}

// TestAUsedRefreshTokenStillEndsItsFamily: who logs out may hold an old one.
func TestAUsedRefreshTokenStillEndsItsFamily(t *testing.T) {
	w := newClientWorld(t, usual)
	first := w.tokens()
	second := w.traded(first)
	if i, err := w.Introspect(w.ctx, w.ann(), first.Refresh.Token); err != nil || i.Active {
		t.Errorf("%+v, %v", i, err)
	}
	must(t, w.RevokeToken(w.ctx, w.ann(), first.Refresh.Token))
	w.wantDead(first.Access.Token, second.Access.Token)
}

// TestAGUIDIsFoundInEitherCase: a guard takes it in either, so a revocation
// that did not find one would leave it good.
func TestAGUIDIsFoundInEitherCase(t *testing.T) {
	w := newClientWorld(t, usual)
	guid := "a45a039c-eb31-46f1-9ece-88aa5ccfe22c"
	w.plant(func(s *store.Session) { s.Dialect, s.Digest = "timed_login", auth.DigestOf(guid) })
	upper := auth.NewSecret(strings.ToUpper(guid))
	if i, err := w.Introspect(w.ctx, w.ann(), upper); err != nil || !i.Active {
		t.Errorf("%+v, %v", i, err)
	}
	must(t, w.RevokeToken(w.ctx, w.ann(), upper))
	w.wantDead(auth.NewSecret(guid))
}
