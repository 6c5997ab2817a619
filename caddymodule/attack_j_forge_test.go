package caddymodule

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// What the tests of the J rows forge with. They know every key, and a live
// session stands behind what they forge: so a token is refused for the one thing
// that is wrong with it, as far as the gateway has one defence against it alone.
// Where it has two, the tests of package token look at each.

// joseBlock issues JWTs of all three uses.
const joseBlock = `
		login management {
			format jwt
		}
		login oauth2 {
			format jwt
			algorithm ES256
		}
		accept bearer api_key
		errors problem`

// joseWorld is a Caddy that issues and takes JWTs.
type joseWorld struct {
	*whole
	account store.Account
	key     string
}

// startJose runs the site with these outside issuers, each of which must name
// the audience api.
func startJose(t *testing.T, issuers ...string) *joseWorld {
	t.Helper()
	block := joseBlock
	for _, url := range issuers {
		block += "\n\t\ttrust " + url + " {\n\t\t\taudience api\n\t\t\talgorithms RS256 ES256 EdDSA PS256\n\t\t}"
	}
	w := &joseWorld{whole: start(t, block)}
	w.account, w.key = w.ann("editor")
	return w
}

// nobody fails the test unless a bearer is refused as one that is nothing at
// all: same status, fields and body.
func (w *joseWorld) nobody(what, text string) {
	w.t.Helper()
	got, want := w.get("/x", bearerOf(text)), w.get("/x", bearerOf("nothing"))
	if got.status != http.StatusUnauthorized || got.seen != nil {
		w.t.Fatalf("%s: want 401 from the gateway: %v", what, got)
	}
	got.header.Del("Date")
	want.header.Del("Date")
	if got.body != want.body || !reflect.DeepEqual(got.header, want.header) {
		w.t.Errorf("%s is refused in another way than any other:\n%v\n%v", what, got, want)
	}
}

// forger signs with a key of the gateway.
type forger struct {
	*joseWorld
	id     string // of the key
	method jwt.SigningMethod
	key    any // a secret, or a private key
	// text is a genuine token, head and payload what it says, row its session.
	text, head, payload string
	row                 store.Session
}

// forger returns the forger of a use. The genuine token is issued for ann as a
// login would: with a session of the same id.
func (w *joseWorld) forger(use string, c token.Claims) *forger {
	w.t.Helper()
	now := store.Precise(time.Now())
	c.ID, c.Subject, c.Issued, c.Expires = token.NewID(), w.account.ID, now, now.Add(time.Hour)
	secret, err := w.runtime().Signers.Sign(w.t.Context(), gateway.DefaultRealm, c)
	if err != nil {
		w.t.Fatal(err)
	}
	f := &forger{joseWorld: w, text: secret.Reveal()}
	f.head, f.payload = plainSegment(w.t, f.text, 0), plainSegment(w.t, f.text, 1)
	f.row = store.Session{
		ID: c.ID, Realm: gateway.DefaultRealm, Digest: auth.DigestOf(f.text), Dialect: "management", Kind: store.AccessToken,
		Subject: w.account.ID, Issued: now, Updated: now, Expires: now.Add(time.Hour), Keep: now.Add(2 * time.Hour),
	}
	f.insert(f.row)
	f.open(use)
	return f
}

func (f *forger) insert(row store.Session) {
	f.t.Helper()
	if err := f.runtime().Store.Sessions.InsertSession(f.t.Context(), row); err != nil {
		f.t.Fatal(err)
	}
}

// open reads the key that signs for use out of the store.
func (f *forger) open(use string) {
	f.t.Helper()
	rows, err := f.runtime().Store.SigningKeys.SigningKeys(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, row := range rows {
		if row.Use != use {
			continue
		}
		material, err := f.runtime().Ring.Open(row.Sealed, token.Bind("", "signing_key", row.ID, row.Use, row.Algorithm))
		if err != nil {
			f.t.Fatal(err)
		}
		f.id, f.method, f.key = row.ID, jwt.GetSigningMethod(row.Algorithm), material
		if row.Algorithm != "HS256" {
			if f.key, err = x509.ParsePKCS8PrivateKey(material); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	if f.id == "" {
		f.t.Fatalf("no key signs for %s", use)
	}
}

// planted signs a payload with the gateway's own key, under an id of its own, and
// puts a live session behind the very text.
func (f *forger) planted(payload string) string {
	f.t.Helper()
	return f.plantedBy(f.method, f.key, payload)
}

// plantedBy is planted with another key; a nil method leaves the signature out.
func (f *forger) plantedBy(m jwt.SigningMethod, key any, payload string) string {
	f.t.Helper()
	id := token.NewID()
	text := joseSign(f.t, m, key, f.head, strings.ReplaceAll(payload, f.row.ID, id))
	f.behind(id, text)
	return text
}

// headed signs the genuine payload under another header, with this key: a nil
// method leaves the signature out. The session that the payload names lives. It
// has the genuine text: one with the forged text would make an opaque token of
// what is no JWT of ours.
func (f *forger) headed(m jwt.SigningMethod, key any, head string) string {
	f.t.Helper()
	if head == f.head {
		f.t.Fatal("this header is the genuine one")
	}
	return joseSign(f.t, m, key, head, f.payload)
}

// underOwnKey is headed with the gateway's own key.
func (f *forger) underOwnKey(head string) string {
	f.t.Helper()
	return f.headed(f.method, f.key, head)
}

// behind puts a live session behind a text.
func (f *forger) behind(id, text string) {
	f.t.Helper()
	row := f.row
	row.ID, row.Digest = id, auth.DigestOf(text)
	f.insert(row)
}

// with returns the genuine payload with a member replaced by this JSON, or
// taken out where it is "".
func (f *forger) with(member, value string) string {
	f.t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(f.payload), &members); err != nil {
		f.t.Fatal(err)
	}
	delete(members, member)
	text, err := json.Marshal(members)
	if err != nil {
		f.t.Fatal(err)
	}
	if value == "" {
		return string(text)
	}
	return fmt.Sprintf("%s,%q:%s}", text[:len(text)-1], member, value)
}

// claimsFor are the claims of the forger of each use.
var claimsFor = map[string]token.Claims{
	token.UseToken:       {},
	token.UseTextDates:   {TextDates: true},
	"access-token ES256": {Access: &token.Access{Algorithm: "ES256"}},
}

func b64url(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func plainSegment(t testing.TB, text string, n int) string {
	t.Helper()
	plain, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// joseSign joins a header and a payload, as they stand, with their signature;
// a nil method leaves that out.
func joseSign(t testing.TB, m jwt.SigningMethod, key any, head, payload string) string {
	t.Helper()
	signed := b64url(head) + "." + b64url(payload)
	if m == nil {
		return signed + "."
	}
	signature, err := m.Sign(signed, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64url(string(signature))
}

// keyIssuer is an outside issuer whose keys a test chooses.
type keyIssuer struct {
	*httptest.Server
	set, redirect atomic.Pointer[string]
	asked         atomic.Int64 // for keys
	down          atomic.Bool
}

func newKeyIssuer(t *testing.T, keys ...any) *keyIssuer {
	t.Helper()
	o := &keyIssuer{}
	o.Server = httptest.NewServer(http.HandlerFunc(o.answer))
	o.publish(t, keys...)
	t.Cleanup(o.Close)
	return o
}

func (o *keyIssuer) answer(w http.ResponseWriter, r *http.Request) {
	switch to := o.redirect.Load(); {
	case o.down.Load():
		w.WriteHeader(http.StatusBadGateway)
	case to != nil:
		http.Redirect(w, r, *to, http.StatusFound)
	case r.URL.Path == "/.well-known/openid-configuration":
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, o.URL, o.URL+"/keys")
	case r.URL.Path == "/keys":
		o.asked.Add(1)
		_, _ = w.Write([]byte(*o.set.Load()))
	default:
		http.NotFound(w, r)
	}
}

// publish makes keys, each a jose.JSONWebKey or a map, the issuer's.
func (o *keyIssuer) publish(t *testing.T, keys ...any) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	set := string(text)
	o.set.Store(&set)
}

func josePublic(kid string, public any) jose.JSONWebKey {
	return jose.JSONWebKey{Key: public, KeyID: kid, Use: "sig"}
}

// claims are those of a token that a site takes; change replaces some, or takes
// out those that are nil.
func (o *keyIssuer) claims(t testing.TB, change map[string]any) string {
	t.Helper()
	members := map[string]any{"iss": o.URL, "sub": "8f3a", "aud": "api", "exp": time.Now().Add(time.Hour).Unix()}
	for name, v := range change {
		if members[name] = v; v == nil {
			delete(members, name)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
