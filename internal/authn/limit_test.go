package authn_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestAKeyBesideATokenDoesNotLiftWhatTheTokensKeyLimits: whoever has a token
// that may only read sends it with the site's key, which may write.
func TestAKeyBesideATokenDoesNotLiftWhatTheTokensKeyLimits(t *testing.T) {
	w := entityWorld(t)
	add := func(name string, k store.Key) int64 {
		k.Realm, k.Digest = realm, auth.DigestOf("key of "+name)
		id, err := w.Keys.InsertKey(w.ctx, k)
		must(t, err)
		return id
	}
	reader := add("reader", store.Key{Account: account, Permissions: auth.Read})
	add("site", store.Key{Gateway: true, Permissions: auth.Read | auth.Write})
	add("writer", store.Key{Gateway: true, Permissions: auth.Write})
	w.addSession(func(s *store.Session) {
		s.ID, s.Digest, s.KeyID = "limited", auth.DigestOf("ght limited"), reader
	})
	w.addSession(func(s *store.Session) {
		s.ID, s.Digest, s.KeyID, s.Kind, s.Tenant = "limited entity", auth.DigestOf("ght limited entity"), reader, store.EntityToken, w.tenant
	})
	for _, c := range []bearer.Credential{
		{Kind: auth.KeyUserToken, User: "ann", Token: "ght limited"},
		{Kind: auth.KeyUserToken, Entity: "ght limited entity"},
	} {
		for key, want := range map[string]auth.Permission{"reader": auth.Read, "site": auth.Read, "writer": 0} {
			c.Key = "key of " + key
			if p := w.pass(c); p.Permissions != want {
				t.Errorf("beside the key of the %s: permissions %v, want %v", key, p.Permissions, want)
			}
		}
	}
}

// TestAKeyThatIsOverCostsWhatOneCostsThatNeverWas: what stands beside it is not
// looked at, and does not change the answer either.
func TestAKeyThatIsOverCostsWhatOneCostsThatNeverWas(t *testing.T) {
	over := map[string]func(w *world, k *store.Key){
		"revoked": func(w *world, k *store.Key) { k.Revoked = store.Precise(w.now()) },
		"expired": func(w *world, k *store.Key) { k.Expires = store.Precise(w.now()) },
	}
	for reason, end := range over {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t, nil)
			k := store.Key{Realm: realm, Digest: auth.DigestOf("a key that is over"), Account: account, Permissions: auth.Read}
			end(w, &k)
			_, err := w.Keys.InsertKey(w.ctx, k)
			must(t, err)
			before := w.reads.count.Load()
			for _, token := range []string{w.token, "ght_nothing"} {
				w.refuse(bearer.Credential{Kind: auth.KeyUserToken, Key: "a key that is over", User: "ann", Token: token}, auth.InvalidCredential, auth.Reason(reason))
				w.refuse(bearer.Credential{Kind: auth.KeyUserToken, Key: "a key that is over", Entity: token}, auth.InvalidCredential, auth.Reason(reason))
				w.refuse(bearer.Credential{Kind: auth.KeyUserToken, Key: "a key that never was", User: "ann", Token: token}, auth.InvalidCredential, auth.ReasonUnknown)
			}
			if n := w.reads.count.Load() - before; n != 0 {
				t.Errorf("the token beside it was looked up %d times", n)
			}
		})
	}
}
