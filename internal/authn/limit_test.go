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
