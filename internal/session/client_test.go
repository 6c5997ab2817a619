package session_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func TestAClientIsAKeyByItsIDAndItself(t *testing.T) {
	w := newClientWorld(t, usual)
	for id, secret := range map[string]string{
		w.annClient: clientSecret, w.annClient2: clientSecret2, w.bobClient: bobSecret, w.tenantClient: tenantSecret,
		w.client("planted-gateway-secret", store.Key{Gateway: true}): "planted-gateway-secret",
	} {
		if c := w.as(id, secret); c.ID != id {
			t.Errorf("client %s is %+v", id, c)
		}
	}
	if k, err := w.Keys.Key(w.ctx, realm, 1); err != nil || k.LastUsed.IsZero() {
		t.Errorf("nothing says that the key was used: %v", err)
	}
	if len(w.events) != 0 {
		t.Errorf("who only proves who it is logs in nowhere: %+v", w.events)
	}
}

func TestOneRightSpellingOfASecretIsEnough(t *testing.T) {
	w := newClientWorld(t, usual)
	for _, spellings := range [][]auth.Secret{
		{auth.NewSecret("a b"), auth.NewSecret(clientSecret)},
		{auth.NewSecret(clientSecret), auth.NewSecret("a+b")},
	} {
		_, err := w.Client(w.ctx, w.annClient, spellings...)
		must(t, err)
	}
	_, err := w.Client(w.ctx, w.annClient)
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
}

// TestEveryClientThatIsNotGoodCostsTheSame: one look-up of a key and one of an
// account, whatever is wrong.
func TestEveryClientThatIsNotGoodCostsTheSame(t *testing.T) {
	past, elsewhere := time.Unix(1, 0), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name, id, secret string
		key              store.Key // the fifth key
		reason           auth.Reason
	}{
		{"nobody has the id", "77", "x", store.Key{}, auth.ReasonUnknown},
		{"the id is no number", "ann", "x", store.Key{}, auth.ReasonUnknown},
		{"the id is empty", "", "x", store.Key{}, auth.ReasonUnknown},
		{"the id is zero", "0", "x", store.Key{}, auth.ReasonUnknown},
		{"the id is negative", "-5", "x", store.Key{}, auth.ReasonUnknown},
		{"the id has another spelling", "05", "x", store.Key{}, auth.ReasonUnknown},
		{"the id has a sign", "+5", "x", store.Key{}, auth.ReasonUnknown},
		{"the id is past 64 bits", "18446744073709551621", "x", store.Key{}, auth.ReasonUnknown},
		{"the id is in other digits", "٥", "x", store.Key{}, auth.ReasonUnknown},
		{"the id has a NUL", "5\x00", "x", store.Key{}, auth.ReasonUnknown},
		{"the secret is wrong", "5", "y", store.Key{}, auth.ReasonMismatch},
		{"the secret is empty", "5", "", store.Key{}, auth.ReasonMismatch},
		{"the secret is another client's", "5", clientSecret, store.Key{}, auth.ReasonMismatch},
		{"the secret is the digest of the right one", "5", string(func() []byte { d := auth.DigestOf("x"); return d[:] }()), store.Key{}, auth.ReasonMismatch},
		{"the secret is in another case", "5", "X", store.Key{}, auth.ReasonMismatch},
		{"the key is revoked", "5", "x", store.Key{Revoked: past}, auth.ReasonRevoked},
		{"the key has expired", "5", "x", store.Key{Expires: past}, auth.ReasonExpired},
		{"the account is disabled", "5", "x", store.Key{Account: bobID}, auth.ReasonDisabled},
		{"the address is not on the key's list", "5", "x", store.Key{Addresses: elsewhere}, auth.ReasonAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newClientWorld(t, usual)
			w.editAccount(bobID, func(a *store.Account) { a.Disabled = true })
			if c.key.Account == "" {
				c.key.Account = annID
			}
			if id := w.client("x", c.key); id != "5" {
				t.Fatalf("the key is %s", id)
			}
			w.lookedKeys.Store(0)
			w.lookedAccounts.Store(0)
			_, err := w.Client(w.ctx, c.id, auth.NewSecret(c.secret))
			wantRefusal(t, err, auth.InvalidCredential, c.reason)
			if keys, accounts := w.lookedKeys.Load(), w.lookedAccounts.Load(); keys != 1 || accounts != 1 {
				t.Errorf("%d keys and %d accounts were looked up", keys, accounts)
			}
			e := w.events[len(w.events)-1]
			if len(w.events) != 1 || e.Kind != auth.LoginEvent || e.OK || e.Reason != c.reason || e.Dialect != "oauth2" || e.Name != c.id {
				t.Errorf("audited was %+v", w.events)
			}
		})
	}
}

func TestTheAllowListOfTheAccountCountsForItsClients(t *testing.T) {
	w := newClientWorld(t, usual)
	w.editAccount(annID, func(a *store.Account) { a.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	_, err := w.Client(w.ctx, w.annClient, auth.NewSecret(clientSecret))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonAddress)
}

// TestAClientWhoseAccountGoesMeanwhileIsNone: the key was read, the account is
// not there any more.
func TestAClientWhoseAccountGoesMeanwhileIsNone(t *testing.T) {
	w := newClientWorld(t, usual)
	w.noAccounts.Store(true)
	_, err := w.Client(w.ctx, w.annClient, auth.NewSecret(clientSecret))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
}

func TestAClientOfATenantThatItsAccountLeftIsNone(t *testing.T) {
	w := newClientWorld(t, usual)
	must(t, w.Memberships.DeleteMembership(w.ctx, realm, annID, clientTenant))
	_, err := w.Client(w.ctx, w.annClient, auth.NewSecret(clientSecret))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonTenant)
	w.as(w.annClient2, clientSecret2)
}

func TestAClientOfAnotherRealmIsNone(t *testing.T) {
	w := newClientWorld(t, usual)
	_, err := w.block(session.Config{Realm: "elsewhere", TTL: time.Hour}).Client(w.ctx, w.annClient, auth.NewSecret(clientSecret))
	wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
}

func TestFailuresOfAClientCountByItsIDOnly(t *testing.T) {
	w := newClientWorld(t, usual)
	wrongly := func(id string) error {
		_, err := w.Client(w.ctx, id, auth.NewSecret(wrong))
		return err
	}
	for _, id := range []string{w.annClient, "77"} { // both alike: the lock does not tell which ids exist
		for range 5 {
			if err := wrongly(id); auth.CodeOf(err) != auth.InvalidCredential {
				t.Fatalf("got %v", err)
			}
		}
		wantThrottled(t, wrongly(id), 5*time.Minute)
	}
	_, err := w.Client(w.ctx, w.annClient, auth.NewSecret(clientSecret))
	wantThrottled(t, err, 5*time.Minute)
	w.as(w.annClient2, clientSecret2)
	elsewhere := session.WithAddress(w.ctx, netip.MustParseAddr("203.0.113.9"))
	if _, err := w.Client(elsewhere, w.annClient, auth.NewSecret(clientSecret)); err != nil {
		t.Errorf("who guesses at an id keeps its owner out: %v", err)
	}
	w.pass(5*time.Minute + time.Second)
	w.ann()
}

func TestFailuresOfAClientCountPerAddress(t *testing.T) {
	w := newClientWorld(t, usual)
	for i := range 100 {
		_, err := w.Client(w.ctx, strings.Repeat("9", i+1), auth.NewSecret(wrong))
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonUnknown)
	}
	_, err := w.Client(w.ctx, w.annClient, auth.NewSecret(clientSecret))
	wantThrottled(t, err, 5*time.Minute)
	_, err = w.Client(session.WithAddress(w.ctx, netip.MustParseAddr("192.0.2.2")), w.annClient, auth.NewSecret(clientSecret))
	must(t, err)
}

func TestAStoreOutOfReachIsNoWrongClient(t *testing.T) {
	w := newClientWorld(t, usual)
	c := w.ann()
	tokens := w.tokens()
	w.rows.find, w.rows.beforeInsert = down, down
	_, err := w.ClientTokens(w.ctx, c, nil)
	wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
	_, err = w.RefreshTokens(w.ctx, c, tokens.Refresh.Token, nil)
	wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
	_, err = w.Introspect(w.ctx, c, tokens.Access.Token)
	wantRefusal(t, err, auth.Unavailable, auth.ReasonStore)
	wantRefusal(t, w.RevokeToken(w.ctx, c, tokens.Access.Token), auth.Unavailable, auth.ReasonStore)
}
