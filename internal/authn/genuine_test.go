package authn_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestARefusalNamesAGenuineCredential, and none that was never issued.
func TestARefusalNamesAGenuineCredential(t *testing.T) {
	w := newWorld(t, nil)
	id, err := w.Keys.InsertKey(w.ctx, store.Key{
		Realm: realm, Digest: auth.DigestOf("a key that was revoked"), Account: account, Revoked: w.now(),
	})
	must(t, err)
	w.addSession(func(s *store.Session) {
		s.ID, s.Digest, s.KeyID = "of the key", auth.DigestOf("token of the key"), id
	})
	revoked := bearer.Credential{Kind: auth.APIKey, Key: "a key that was revoked"}
	for name, c := range map[string]struct {
		credential bearer.Credential
		later      time.Duration
		want       authn.Genuine
	}{
		"a revoked key":                  {revoked, 0, authn.Genuine{Subject: account, KeyID: id}},
		"a token of a revoked key":       {bearer.Credential{Kind: auth.Bearer, Token: "token of the key"}, 0, authn.Genuine{Subject: account, TokenID: "of the key", KeyID: id}},
		"a token that expired":           {w.bearer(), 90 * time.Minute, authn.Genuine{Subject: account, TokenID: sessionID}},
		"a token that was never issued":  {bearer.Credential{Kind: auth.Bearer, Token: "nobody's"}, 0, authn.Genuine{}},
		"a key that was never issued":    {bearer.Credential{Kind: auth.APIKey, Key: "nobody's either, of course"}, 0, authn.Genuine{}},
		"a triple of a token and no key": {bearer.Credential{Kind: auth.KeyUserToken, User: "ann", Token: w.token, Key: "nobody's"}, 0, authn.Genuine{}},
		"a triple with an unknown token": {bearer.Credential{Kind: auth.KeyUserToken, User: "ann", Token: "nobody's", Key: w.key}, 0, authn.Genuine{}},
	} {
		t.Run(name, func(t *testing.T) {
			w.clock.Store(int64(c.later))
			defer w.clock.Store(0)
			_, err := w.r.Resolve(w.ctx, realm, c.credential)
			if err == nil || auth.CodeOf(err) != auth.InvalidCredential {
				t.Fatalf("got %v", err)
			}
			var got authn.Genuine
			if g, ok := errors.AsType[*authn.Genuine](err); ok {
				got = authn.Genuine{Subject: g.Subject, TokenID: g.TokenID, KeyID: g.KeyID}
			}
			if got != c.want {
				t.Errorf("it names %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestWhatIsSaidOfAKeyIsStillSaid inside of what names it.
func TestWhatIsSaidOfAKeyIsStillSaid(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.Keys.InsertKey(w.ctx, store.Key{
		Realm: realm, Digest: auth.DigestOf("a key that expired"), Account: account, Expires: w.now(),
	})
	must(t, err)
	if _, err = w.r.Resolve(w.ctx, realm, bearer.Credential{Kind: auth.APIKey, Key: "a key that expired"}); !errors.Is(err, auth.ErrKey) {
		t.Errorf("got %v", err)
	}
}

// TestACredentialIsRecalledAsItIsWorthNow by the names that a log has of it.
func TestACredentialIsRecalledAsItIsWorthNow(t *testing.T) {
	w := newWorld(t, nil)
	all := []authn.Genuine{{TokenID: sessionID}, {KeyID: w.keyID}, {Subject: account}}
	for _, g := range all {
		v, err := w.r.Recall(w.ctx, realm, g)
		if err != nil || v.Principal.Username != "ann" {
			t.Errorf("%+v: %v", g, err)
		}
	}
	disable(t, w)
	for _, g := range append(all, authn.Genuine{TokenID: "none"}, authn.Genuine{KeyID: 99}, authn.Genuine{Subject: "none"}) {
		if _, err := w.r.Recall(w.ctx, realm, g); err == nil || auth.CodeOf(err) != auth.InvalidCredential {
			t.Errorf("%+v: %v", g, err)
		}
	}
	if _, err := w.r.Recall(w.ctx, "another", all[0]); err == nil {
		t.Error("a token is recalled in another realm")
	}
}
