package session_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// A gateway with another key ring can neither give back what the others sealed
// nor may it put its own in the place: the token is in use.
func TestASealedTokenOfAGatewayWithAnotherKeyRingIsLeftAlone(t *testing.T) {
	w := inMemory(t)
	made := w.create(place)
	deps := w.deps
	deps.Ring = ring(t)
	other := session.New(&deps, session.Config{Realm: realm, Dialect: "entity_token"})
	_, err := other.EntityToken(w.ctx, place)
	wantRefusal(t, err, auth.Unavailable, auth.ReasonKeyRing)
	_, err = other.CreateEntityToken(w.ctx, place)
	wantRefusal(t, err, auth.Unavailable, auth.ReasonKeyRing)
	if got, err := w.EntityToken(w.ctx, place); err != nil || !got.Token.Equal(made.Token) {
		t.Errorf("the gateway that sealed it: %v, %v", got, err)
	}
	must(t, other.DeleteEntityToken(w.ctx, place)) // needs no key
	_, err = w.EntityToken(w.ctx, place)
	wantRefusal(t, err, auth.NotFound, "")
}
