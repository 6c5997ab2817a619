package authn_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func newSigners(t *testing.T, w *world) *token.Signers {
	t.Helper()
	ring, err := token.ParseRing(token.RingFile{Name: "test", Text: token.NewRing()})
	must(t, err)
	return token.NewSigners(w.SigningKeys, ring, w.now)
}

// A gateway whose key ring lacks the key goes by the row alone: what was issued
// is as good as that says, and nothing else is good.
func TestAJWTOfAGatewayWithAnotherKeyRingIsAsGoodAsItsSession(t *testing.T) {
	w := newWorld(t, nil)
	const id = "0a5f8a2c-52a3-4c80-a4a0-0e2a54b1de02"
	made, err := newSigners(t, w).Sign(w.ctx, realm, token.Claims{ID: id, Subject: account, Issued: w.now(), Expires: w.now().Add(time.Hour)})
	must(t, err)
	text := made.Reveal()
	w.addSession(func(s *store.Session) { s.ID, s.Digest = id, auth.DigestOf(text) })

	own := newSigners(t, w)
	w.r = authn.New(authn.Config{Store: w.Store, Signers: own, Now: w.now})
	if _, err := own.JWKS(w.ctx); err != nil || !own.Ours(text) {
		t.Fatalf("the key of the other is not known: %v", err)
	}
	w.pass(bearer.Credential{Kind: auth.Bearer, Token: text})
	forged := text[:len(text)-8] + "AAAAAAAA"
	w.refuse(bearer.Credential{Kind: auth.Bearer, Token: forged}, auth.InvalidCredential, auth.ReasonUnknown)
	_, err = w.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{ID: id})
	must(t, err)
	w.r = authn.New(authn.Config{Store: w.Store, Signers: own, Now: w.now})
	w.refuse(bearer.Credential{Kind: auth.Bearer, Token: text}, auth.InvalidCredential, auth.ReasonUnknown)
}
