package token

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func assertion() Assertion {
	return Assertion{
		Audience: []string{"orders"}, Method: "GET", Host: "api.example.com", Path: "/v1/a%2Fb", TTL: time.Minute,
		Credential: "bearer:s-1",
		Caller: &auth.Principal{
			Subject: "7d0c", Username: "zoë", Tenant: "t-1", TenantName: "Acme", Unit: "U1",
			Roles: []string{"a", "b"}, Scopes: auth.Scope{"x", "y"},
		},
	}
}

func (b *bench) assert(t testing.TB, a Assertion) (string, time.Time) {
	t.Helper()
	text, expires, err := b.Assert(t.Context(), "default", a)
	if err != nil {
		t.Fatal(err)
	}
	return text.Reveal(), expires
}

func TestAssertionOnTheWire(t *testing.T) {
	b := newBench(t)
	text, expires := b.assert(t, assertion())
	segments := strings.Split(text, ".")
	head, _ := strict.DecodeString(segments[0])
	if want := `{"alg":"EdDSA","kid":"` + b.store.rows[0].ID + `","typ":"gatehouse-assertion+jwt"}`; string(head) != want {
		t.Errorf("header %s\nwant   %s", head, want)
	}
	payload, _ := strict.DecodeString(segments[1])
	const want = `{"iss":"gatehouse:default","aud":"orders","sub":"7d0c","iat":1770202477,"exp":1770202537,` +
		`"htm":"GET","host":"api.example.com","path":"/v1/a%2Fb",` +
		`"username":"zoë","tenant":"t-1","unit":"U1","roles":["a","b"],"scope":"x y","credential":"bearer:s-1"}`
	if string(payload) != want {
		t.Errorf("payload %s\nwant    %s", payload, want)
	}
	if !expires.Equal(start.Add(time.Minute)) || b.store.rows[0].Use != UseAssertion {
		t.Errorf("expires %v, use %q", expires, b.store.rows[0].Use)
	}
}

func TestAnAssertionVerifiesWithThePublishedKey(t *testing.T) {
	b := newBench(t)
	if err := b.PrepareAssertions(t.Context()); err != nil {
		t.Fatal(err)
	}
	set, err := b.Publish(t.Context(), Published{Assertions: true})
	if err != nil {
		t.Fatal(err)
	}
	var keys struct{ Keys []map[string]string }
	if err := json.Unmarshal(set, &keys); err != nil || len(keys.Keys) != 1 {
		t.Fatalf("%s: %v", set, err)
	}
	text, _ := b.assert(t, assertion())
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithTimeFunc(func() time.Time { return start }), jwt.WithAudience("orders"))
	if _, err := parser.Parse(text, func(*jwt.Token) (any, error) { return publicOf(t, keys.Keys[0]), nil }); err != nil {
		t.Error(err)
	}
}

func TestSeveralAudiencesAreAList(t *testing.T) {
	a := assertion()
	a.Audience = []string{"orders", "stock"}
	b := newBench(t)
	text, _ := b.assert(t, a)
	if got := jsonOf(t, segmentOf(t, text, 1)["aud"]); got != `["orders","stock"]` {
		t.Errorf("aud is %s", got)
	}
}

func TestAnAssertionEndsWithTheCredential(t *testing.T) {
	b := newBench(t)
	b.clock = start.Add(100 * time.Millisecond)
	for name, c := range map[string]struct{ left, want time.Duration }{
		"longer than the assertion":  {time.Hour, time.Minute},
		"shorter":                    {20 * time.Second, 20 * time.Second},
		"shorter, within a second":   {20*time.Second + time.Millisecond, 21 * time.Second},
		"less than a second from it": {300 * time.Millisecond, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			a := assertion()
			p := *a.Caller
			p.Expires = start.Add(c.left)
			a.Caller = &p
			if _, expires := b.assert(t, a); !expires.Equal(start.Add(c.want)) {
				t.Errorf("expires %v after the start", expires.Sub(start))
			}
		})
	}
	a := assertion()
	p := *a.Caller
	p.Expires = b.clock
	a.Caller = &p
	if text, _, err := b.Assert(t.Context(), "default", a); auth.CodeOf(err) != auth.InvalidCredential || err == nil || !text.Empty() {
		t.Errorf("a credential that has just expired: %v", err)
	}
}

func TestAssertRefusesWhatIsTooWide(t *testing.T) {
	for name, spoil := range map[string]func(*Assertion){
		"no audience":                 func(a *Assertion) { a.Audience = nil },
		"no life":                     func(a *Assertion) { a.TTL = 0 },
		"a life of less than it says": func(a *Assertion) { a.TTL = time.Second - 1 },
		"a life of more than 60 s":    func(a *Assertion) { a.TTL = MaxAssertionTTL + time.Second },
		"more than 8 KiB":             func(a *Assertion) { a.Credential = strings.Repeat("x", MaxJWT) },
	} {
		t.Run(name, func(t *testing.T) {
			a := assertion()
			spoil(&a)
			if text, _, err := newBench(t).Assert(t.Context(), "default", a); auth.CodeOf(err) != auth.Internal || err == nil || !text.Empty() {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAPathThatIsTooLongIsTheCallersFault(t *testing.T) {
	b := newBench(t)
	a := assertion()
	a.Path = "/" + strings.Repeat("x", maxTarget-len(a.Host)-1)
	b.assert(t, a)
	a.Path += "x"
	if _, _, err := b.Assert(t.Context(), "default", a); auth.CodeOf(err) != auth.Malformed || err == nil || auth.AsError(err).Reason != auth.ReasonTooLarge {
		t.Errorf("got %v", err)
	}
}

// TestJ16AnAssertionIsNoToken: not even to whoever made it.
func TestJ16AnAssertionIsNoToken(t *testing.T) {
	b := newBench(t)
	text, _ := b.assert(t, assertion())
	b.refused(t, text, auth.ReasonSignature)
	if b.Ours(text) {
		t.Error("it is ours")
	}
	// Nor under a header that a token would have: its key verifies none.
	s := strings.Split(text, ".")
	for _, typ := range []string{typeJWT, typeAccess} {
		b.refused(t, header("EdDSA", b.kid(), typ)+"."+s[1]+"."+s[2], auth.ReasonSignature)
	}
}

func TestAssertionKeysAreRotatedLikeOthers(t *testing.T) {
	b := newBench(t)
	old, _ := b.assert(t, assertion())
	id := b.rotate(t, UseAssertion)
	fresh, _ := b.assert(t, assertion())
	if kidOf(t, fresh) != id || kidOf(t, old) == id {
		t.Fatal("the new key does not sign")
	}
	lists := func(kid string) bool {
		set, err := b.Publish(t.Context(), Published{Assertions: true})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(set), kid)
	}
	if !lists(kidOf(t, old)) || !lists(id) {
		t.Error("a key that verifies is not published")
	}
	b.clock = b.rowOf(t, kidOf(t, old)).Expires
	if lists(kidOf(t, old)) || !lists(id) {
		t.Error("a key is published after its time")
	}
}

// Where the store is out of reach, what the upstream is told is still signed:
// nobody was let in by it.
func TestAssertionsOutliveTheStore(t *testing.T) {
	b := newBench(t)
	b.assert(t, assertion())
	b.store.set(func() { b.store.fail = down })
	b.clock = start.Add(10 * signingBound)
	b.assert(t, assertion())
}

func BenchmarkAssert(b *testing.B) {
	s := newBench(b)
	a := assertion()
	b.ReportAllocs()
	for b.Loop() {
		s.assert(b, a)
	}
}
