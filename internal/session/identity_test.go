package session_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func TestALoginIsBoundToTheOldestIdentity(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		old := store.Identity{ID: token.NewID(), Realm: realm, Account: annID, Type: "email", Created: w.now(), Updated: w.now()}
		must(t, w.Identities.InsertIdentity(w.ctx, old, true))
		young := old
		young.ID, young.Created = token.NewID(), old.Created.Add(1e9)
		must(t, w.Identities.InsertIdentity(w.ctx, young, false))
		issued, err := w.LoginPassword(w.ctx, "ann@example.com", auth.NewSecret(right))
		must(t, err)
		claims, err := w.deps.Signers.Verify(w.ctx, realm, issued.Token.Reveal())
		must(t, err)
		if claims.Subject != old.ID || issued.Principal.Subject != annID {
			t.Errorf("the sub is %s and the subject %s, want %s and ann", claims.Subject, issued.Principal.Subject, old.ID)
		}
		if got := claims.Expires.Sub(claims.Issued); got != 30*24*time.Hour {
			t.Errorf("it lives %v", got)
		}
		i, err := w.IdentityOf(w.ctx, w.caller(issued))
		if must(t, err); i.ID != old.ID || i.Type != "email" {
			t.Errorf("the identity is %+v", i)
		}
	})
}

func TestAnIdentityIsMadeOnce(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		p := w.with(annKey)
		ids := make([]string, 20)
		var wg sync.WaitGroup
		for n := range ids {
			wg.Go(func() {
				i, err := w.IdentityOf(w.ctx, p)
				if err != nil || i.Account != annID || i.Type != "password" || i.Created.IsZero() {
					t.Errorf("%+v, %v", i, err)
				}
				ids[n] = i.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("two identities: %v", ids)
			}
		}
	})
}

func TestAKeyOfNoAccountHasNoIdentity(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		p := w.with(strayKey)
		_, err := w.IdentityOf(w.ctx, p)
		wantRefusal(t, err, auth.InsufficientScope, auth.ReasonSubject)
		_, err = w.CreateLoginTokens(w.ctx, p, "")
		wantRefusal(t, err, auth.InsufficientScope, auth.ReasonSubject)
		_, _, err = w.LoginTokens(w.ctx, p, session.Query{})
		wantRefusal(t, err, auth.InsufficientScope, auth.ReasonSubject)
	})
}

// TestAnIdentityThatMovedIsNotTheOldCallersAnyMore: a session from before may
// not reach what the new account makes by the identity.
func TestAnIdentityThatMovedIsNotTheOldCallersAnyMore(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann := w.as("ann")
		before := w.link(ann)
		i, err := w.IdentityOf(w.ctx, ann)
		must(t, err)
		i.Account = zoeID
		must(t, w.Identities.UpdateIdentity(w.ctx, i))

		other, err := w.IdentityOf(w.ctx, ann)
		if must(t, err); other.ID == i.ID || other.Account != annID {
			t.Errorf("ann still has %+v", other)
		}
		zoe := w.as("zoe")
		after := w.link(zoe)
		if after.Identity != i.ID {
			t.Fatalf("zoe logs in by %s, want the identity that moved", after.Identity)
		}
		if got := strings.Join(w.links(ann), " "); got != "" {
			t.Errorf("ann sees %s", got)
		}
		if got := strings.Join(w.links(zoe), " "); got != after.ID {
			t.Errorf("zoe sees %s, want %s", got, after.ID)
		}
		_, err = w.redeem(before)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonSubject)
	})
}

func TestALoginWithoutIdentitiesHasNone(t *testing.T) {
	w := newWorld(t)
	w.login("ann")
	all, err := w.Identities.IdentitiesOf(w.ctx, realm, annID)
	if must(t, err); len(all) != 0 {
		t.Errorf("a login of management made %+v", all)
	}
}

// TestASessionSeesTheLoginTokensOfItsIdentity, not those of another one of the
// same account.
func TestASessionSeesTheLoginTokensOfItsIdentity(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		zoe, zoes := w.as("zoe"), zoeID
		own := w.link(zoe)
		w.sleep(time.Minute)
		l, err := w.change(w.as("chef"), w.link(w.as("ann")), session.LoginTokenChange{Associate: &zoes})
		must(t, err)
		issued, err := w.Redeem(w.ctx, l.ID, l.Token, true)
		must(t, err)
		moved := w.caller(issued)
		if got := w.links(moved); moved.Subject != zoeID || len(got) != 0 {
			t.Errorf("by the identity that moved %s sees %v", moved.Subject, got)
		}
		other := w.link(moved)
		if got := strings.Join(w.links(zoe), " "); got != own.ID || other.Identity == own.Identity {
			t.Errorf("by her own identity zoe sees %s, want %s", got, own.ID)
		}
	})
}

// TestLoginsThatFailCostTheSame, whatever is wrong, and make no identity.
func TestLoginsThatFailCostTheSame(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		for _, c := range [][2]string{{"nobody", right}, {"ann", wrong}, {"bob", right}, {"bob", wrong}} {
			before := w.hasher.work.Load()
			issued, err := w.LoginPassword(w.ctx, c[0], auth.NewSecret(c[1]))
			if auth.AsError(err) == nil || auth.CodeOf(err) != auth.InvalidCredential {
				t.Errorf("%s: %v", c[0], err)
			}
			wantNothing(t, issued)
			if n := w.hasher.work.Load() - before; n != 1 {
				t.Errorf("%s cost %d hashes", c[0], n)
			}
		}
		for _, id := range []string{annID, bobID} {
			if all, err := w.Identities.IdentitiesOf(w.ctx, realm, id); err != nil || len(all) != 0 {
				t.Errorf("%s has %+v, %v", id, all, err)
			}
		}
	})
}
