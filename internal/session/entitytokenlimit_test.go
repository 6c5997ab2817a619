package session_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestALimitedUserTokenGetsNoEntityTokenOfTheWholeAccount: an application that
// was given a key of ann's that may only read must not come by a token that
// may do all that ann may, nor by one that outlives the key.
func TestALimitedUserTokenGetsNoEntityTokenOfTheWholeAccount(t *testing.T) {
	onEachStore(t, session.Config{}, func(t *testing.T, w *entityWorld) {
		whole := w.create(w.placeOf("ann", userToken("Ann"), "ann"))
		reader := w.addKey("planted key of a reader", store.Key{Account: annID, Permissions: auth.Read, Scopes: auth.Scope{"orders", "stock"}})
		w.addToken("planted token of a reader", store.Session{ID: "limited", Subject: annID, KeyID: reader, Scopes: auth.Scope{"orders", "stock"}})
		w.addToken("planted narrow token", store.Session{ID: "narrow", Subject: annID, KeyID: reader, Scopes: auth.Scope{"stock"}})

		p, narrow := w.placeOf("ann", "planted token of a reader", "ann"), w.placeOf("ann", "planted narrow token", "ann")
		w.wantNone(p)
		limited := w.create(p)
		if limited.Token.Reveal() == whole.Token.Reveal() {
			t.Fatal("the limited caller has the token of the whole account")
		}
		w.wantNone(narrow)
		refreshed, err := w.RefreshEntityToken(w.ctx, p, "")
		must(t, err)
		who, err := w.proxied(gatewayKey, refreshed.Token)
		must(t, err)
		if !who.Scopes.Has("stock") || who.Permissions&^auth.Read != 0 || who.Subject != annID {
			t.Errorf("the limited token is one of %+v", who)
		}
		must(t, w.DeleteEntityToken(w.ctx, p))
		w.wantGood(whole.Token)

		limited = w.create(p)
		k, err := w.Keys.Key(w.ctx, realm, reader)
		must(t, err)
		k.Revoked = store.Precise(w.now())
		must(t, w.Keys.UpdateKey(w.ctx, k))
		if _, err = w.proxied(acmeKey, limited.Token); auth.CodeOf(err) != auth.InvalidCredential {
			t.Errorf("the token outlives its key: %v", err)
		}
		w.wantGood(whole.Token)
	})
}

// TestALimitedKeyOfAnAdminIsNoAdmin: as with login tokens.
func TestALimitedKeyOfAnAdminIsNoAdmin(t *testing.T) {
	w := inMemory(t)
	id := w.addKey("planted key of root", store.Key{Account: rootID, Permissions: auth.Read})
	w.addToken("planted token of root", store.Session{ID: "limited", Subject: rootID, KeyID: id})
	_, err := w.EntityPlace(w.ctx, callerWith(acmeKey, "root", "planted token of root"), acmeID, "ann")
	wantRefusal(t, err, auth.InsufficientScope, auth.ReasonSubject)
}

// TestATokenOfAnUnlimitedKeyHasThePlaceOfTheAccount: what may do everything is
// kept out of nothing.
func TestATokenOfAnUnlimitedKeyHasThePlaceOfTheAccount(t *testing.T) {
	w := inMemory(t)
	id := w.addKey("planted key of all", store.Key{Account: annID, Permissions: auth.AllPermissions})
	w.addToken("planted token of all", store.Session{ID: "all", Subject: annID, KeyID: id})
	made := w.create(w.placeOf("ann", userToken("Ann"), "ann"))
	got, err := w.EntityToken(w.ctx, w.placeOf("ann", "planted token of all", "ann"))
	must(t, err)
	if got.Token.Reveal() != made.Token.Reveal() {
		t.Error("got another token")
	}
}

func callerWith(key, user, text string) bearer.Credential {
	return bearer.Credential{Kind: auth.KeyUserToken, Key: key, User: user, Token: text}
}

// placeOf returns the place of a user in Acme Ltd for a caller with this token.
func (w *entityWorld) placeOf(caller, text, user string) session.Place {
	w.t.Helper()
	p, err := w.EntityPlace(w.ctx, callerWith(acmeKey, caller, text), acmeID, user)
	must(w.t, err)
	return p
}
