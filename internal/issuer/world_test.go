package issuer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

const (
	alpha    = "https://alpha.example/realms/one" // the issuers of these tests
	beta     = "https://beta.example"
	audience = "https://api.example"
)

// start is when these tests begin.
var start = time.Date(2026, 2, 4, 12, 0, 0, 0, time.UTC)

// signer is a private key with a name and an algorithm.
type signer struct {
	id, algorithm string
	private       crypto.Signer
}

// newSigner makes a key for an algorithm.
func newSigner(t testing.TB, id, algorithm string) signer {
	t.Helper()
	var private crypto.Signer
	var err error
	switch algorithm {
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, algorithm, private}
}

// jwk is the public half as an issuer publishes it.
func (s signer) jwk(t testing.TB) map[string]any {
	t.Helper()
	text, err := jose.JSONWebKey{Key: s.private.Public(), KeyID: s.id, Algorithm: s.algorithm, Use: "sig"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return object(t, text)
}

func object(t testing.TB, text []byte) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// header is what the signer's tokens begin with.
func (s signer) header() map[string]any {
	return map[string]any{"alg": s.algorithm, "kid": s.id, "typ": "at+jwt"}
}

// sign returns a token with this header and these claims, whatever they are.
func (s signer) sign(t testing.TB, header, claims any) string {
	t.Helper()
	return s.signTexts(t, jsonOf(t, header), jsonOf(t, claims))
}

func (s signer) signTexts(t testing.TB, header, claims []byte) string {
	t.Helper()
	signed := b64(header) + "." + b64(claims)
	sum, err := methods[s.algorithm].Sign(signed, s.private)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(sum)
}

func b64(text []byte) string { return base64.RawURLEncoding.EncodeToString(text) }

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// claims is what a good token of an issuer says, with members replaced or, by
// nil, taken out.
func claims(issuer string, change map[string]any) map[string]any {
	c := map[string]any{
		"iss": issuer, "sub": "8f3a", "aud": audience, "jti": "t-1", "client_id": "app",
		"iat": start.Unix() - 5, "nbf": start.Unix() - 5, "exp": start.Unix() + 3600,
	}
	for name, v := range change {
		c[name] = v
		if v == nil {
			delete(c, name)
		}
	}
	return c
}

// outside is the world beyond the gateway: it answers for every issuer, in
// memory.
type outside struct {
	mu    sync.Mutex
	sets  map[string][]map[string]any // by issuer
	asked map[string]int              // by URL
	// fault answers in place of everything else, where it is set.
	fault func(*http.Request) (*http.Response, error)
}

func (o *outside) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	address := r.URL.String()
	o.asked[address]++
	if fault := o.fault; fault != nil {
		o.mu.Unlock()
		defer o.mu.Lock()
		return fault(r)
	}
	for issuer, keys := range o.sets {
		switch address {
		case issuer + "/.well-known/openid-configuration":
			return answer(200, map[string]any{"issuer": issuer, "jwks_uri": issuer + "/keys"}), nil
		case issuer + "/keys":
			return answer(200, map[string]any{"keys": keys}), nil
		}
	}
	return answer(404, nil), nil
}

func answer(status int, body any) *http.Response {
	text, ok := body.(string)
	if !ok {
		encoded, _ := json.Marshal(body)
		text = string(encoded)
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(text)))}
}

var errDown = errors.New("connection refused")

func down(*http.Request) (*http.Response, error) { return nil, errDown }

// publish replaces the keys of an issuer.
func (o *outside) publish(issuer string, keys ...map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sets[issuer] = append([]map[string]any{}, keys...)
}

func (o *outside) breakWith(fault func(*http.Request) (*http.Response, error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = fault
}

// count is how often key sets were asked for.
func (o *outside) count() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for address, times := range o.asked {
		if len(address) > 5 && address[len(address)-5:] == "/keys" {
			n += times
		}
	}
	return n
}

func (o *outside) addresses() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.asked))
}

// world is a pool in front of the outside, and what one site trusts.
type world struct {
	*outside
	*Pool
	t     testing.TB
	trust *Trust
	clock atomic.Int64 // nanoseconds since start
}

func newWorld(t testing.TB, configs ...Config) *world {
	t.Helper()
	w := &world{t: t, outside: &outside{sets: map[string][]map[string]any{}, asked: map[string]int{}}}
	w.Pool = NewPool(w.time, &http.Client{Transport: w.outside, CheckRedirect: withinHost})
	t.Cleanup(w.Close)
	if len(configs) == 0 {
		configs = []Config{config(alpha), config(beta)}
	}
	var err error
	if w.trust, err = NewTrust(configs); err != nil {
		t.Fatal(err)
	}
	return w
}

func config(url string) Config { return Config{URL: url, Audiences: []string{audience}} }

func (w *world) time() time.Time { return start.Add(time.Duration(w.clock.Load())) }

func (w *world) pass(d time.Duration) { w.clock.Add(int64(d)) }

// verify is what a site does with a token.
func (w *world) verify(text string) (auth.Principal, *Key, error) {
	u := w.trust.Read(text)
	if u == nil {
		return auth.Principal{}, nil, errNotRead
	}
	return w.Verify(context.Background(), u)
}

var errNotRead = errors.New("of no trusted issuer")

func (w *world) accepted(t testing.TB, text string) (auth.Principal, *Key) {
	t.Helper()
	p, k, err := w.verify(text)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return p, k
}

// refused fails the test unless the token is refused for this reason; "" is a
// token that is not even taken for one of a trusted issuer.
func (w *world) refused(t testing.TB, text string, want auth.Reason) {
	t.Helper()
	p, k, err := w.verify(text)
	if err == nil {
		t.Fatalf("accepted as %s", p.Subject)
	}
	if p.Subject != "" || k != nil {
		t.Errorf("a refusal with a principal: %v", p)
	}
	if errors.Is(err, errNotRead) {
		if want != "" {
			t.Errorf("not read, want %s", want)
		}
		return
	}
	e := auth.AsError(err)
	if e.Code != auth.InvalidCredential || e.Reason != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// unavailable fails the test unless the issuer is said to be out of reach.
func (w *world) unavailable(t testing.TB, text string) {
	t.Helper()
	_, _, err := w.verify(text)
	if err == nil {
		t.Fatal("accepted")
	}
	if e := auth.AsError(err); e.Code != auth.Unavailable || e.Reason != auth.ReasonIssuer {
		t.Errorf("got %v", err)
	}
}
