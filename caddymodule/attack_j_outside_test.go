package caddymodule

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The same attacks on the tokens of outside issuers: there the very text is
// stored nowhere, so the signature and the claims are all there is.

// outsideWorld is a site that trusts an issuer with a key of each kind, k-RS256,
// k-ES256, k-EdDSA and k-PS256 by name.
type outsideWorld struct {
	*joseWorld
	issuer *keyIssuer
	keys   map[string]crypto.Signer
}

func startOutside(t *testing.T) *outsideWorld {
	t.Helper()
	keys := newOutsideKeys(t)
	o := newKeyIssuer(t, publicOf(keys)...)
	w := &outsideWorld{joseWorld: startJose(t, o.URL), issuer: o, keys: keys}
	w.passed(w.get("/x", bearerOf(w.good()))) // else the rows prove nothing
	return w
}

func newOutsideKeys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"RS256": rs, "PS256": rs, "ES256": es, "EdDSA": ed}
}

func publicOf(keys map[string]crypto.Signer) (set []any) {
	for name, key := range keys {
		k := josePublic("k-"+name, key.Public())
		k.Algorithm = name
		set = append(set, k)
	}
	return set
}

func outsideHead(alg string) string {
	return fmt.Sprintf(`{"alg":%q,"kid":"k-%s","typ":"JWT"}`, alg, alg)
}

// signed signs with the issuer's key of that name.
func (w *outsideWorld) signed(alg, head, payload string) string {
	w.t.Helper()
	return joseSign(w.t, jwt.GetSigningMethod(alg), w.keys[alg], head, payload)
}

// good is a token that passes.
func (w *outsideWorld) good() string {
	w.t.Helper()
	return w.signed("ES256", outsideHead("ES256"), w.issuer.claims(w.t, nil))
}

func TestJ01OutsideNoAlgorithmIsNoSignature(t *testing.T) {
	w := startOutside(t)
	payload := w.issuer.claims(t, nil)
	for name := range w.keys {
		w.passed(w.get("/x", bearerOf(w.signed(name, outsideHead(name), payload))))
		for _, alg := range algorithmsOfNone {
			head := strings.Replace(outsideHead(name), `"`+name+`"`, alg, 1)
			w.nobody("alg "+alg, joseSign(t, nil, nil, head, payload))
			w.nobody("alg "+alg+", signed", w.signed(name, head, payload))
		}
		head := `{"kid":"k-` + name + `"}`
		w.nobody("no alg", joseSign(t, nil, nil, head, payload))
		w.nobody("no alg, signed", w.signed(name, head, payload))
		w.nobody("no signature", joseSign(t, nil, nil, outsideHead(name), payload))
	}
}

func TestJ03OutsideThePublicKeyIsNoSecret(t *testing.T) {
	w := startOutside(t)
	payload := w.issuer.claims(t, nil)
	for name, key := range w.keys {
		for i, secret := range publicForms(t, key.Public()) {
			for _, alg := range []string{"HS256", name} {
				head := strings.Replace(outsideHead(name), `"`+name+`"`, `"`+alg+`"`, 1)
				w.nobody(fmt.Sprintf("form %d of %s as %s", i, name, alg), joseSign(t, jwt.SigningMethodHS256, secret, head, payload))
			}
		}
	}
}

// A key verifies what it says it is for, and never what a token says.
func TestJ03OutsideAKeyIsPinnedToItsAlgorithm(t *testing.T) {
	w := startOutside(t)
	payload := w.issuer.claims(t, nil)
	for name := range w.keys {
		for other := range w.keys {
			if other == name {
				continue
			}
			w.nobody(name+" under the kid of "+other, w.signed(name, strings.Replace(outsideHead(other), `"`+other+`"`, `"`+name+`"`, 1), payload))
			w.nobody(name+" as "+other, w.signed(name, outsideHead(other), payload))
		}
	}
	w.nobody("RS512, which is not among the algorithms of the line", joseSign(t, jwt.SigningMethodRS512, w.keys["RS256"], `{"alg":"RS512","kid":"k-RS256"}`, payload))
}

func TestJ04J06OutsideAKeyInTheHeaderIsNoKey(t *testing.T) {
	w := startOutside(t)
	payload, mine := w.issuer.claims(t, nil), newOutsideKeys(t)
	for name, key := range mine {
		jwk, err := josePublic("k-"+name, key.Public()).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, member := range []string{`"jwk":` + string(jwk), `"x5c":["MIIB"]`, `"x5t":"AAAA"`} {
			head := strings.Replace(outsideHead(name), "{", "{"+member+",", 1)
			w.nobody(member[:5]+" of "+name, joseSign(t, jwt.GetSigningMethod(name), key, head, payload))
		}
	}
}

func TestJ05OutsideNoAddressOfATokenIsAsked(t *testing.T) {
	url, visits := trap(t)
	w := startOutside(t)
	payload, mine := w.issuer.claims(t, nil), newOutsideKeys(t)
	asked := w.issuer.asked.Load()
	for _, member := range joseAddresses(url) {
		for _, kid := range []string{"k-ES256", "unknown"} {
			head := `{"alg":"ES256","kid":"` + kid + `",` + member + `}`
			w.nobody(member, joseSign(t, jwt.SigningMethodES256, mine["ES256"], head, payload))
			w.nobody(member+" and as iss", joseSign(t, jwt.SigningMethodES256, mine["ES256"], head, w.issuer.claims(t, map[string]any{"iss": url, "jku": url})))
		}
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("the address was asked %d times", n)
	}
	// An unknown kid makes the gateway ask the issuer itself, and that rarely.
	if n := w.issuer.asked.Load() - asked; n > 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

// An issuer that was taken over does not point the gateway elsewhere.
func TestJ05OutsideAnIssuerThatRedirectsIsNotFollowed(t *testing.T) {
	url, visits := trap(t)
	o := newKeyIssuer(t, publicOf(newOutsideKeys(t))...)
	for _, to := range []string{url + "/keys", "file:///etc/passwd", "//" + strings.TrimPrefix(url, "http://")} {
		o.redirect.Store(&to)
		w := startJose(t, o.URL)
		text := joseSign(t, jwt.SigningMethodHS256, []byte("x"), outsideHead("ES256"), o.claims(t, nil))
		w.refused(w.get("/x", bearerOf(text)), http.StatusServiceUnavailable)
		w.passed(w.get("/x", "x-api-key: "+w.key))
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("the address was asked %d times", n)
	}
}

func TestJ07OutsideAKeyIDIsNoPathAndNoQuery(t *testing.T) {
	fifo := newFIFO(t)
	w := startOutside(t)
	asked := w.issuer.asked.Load()
	for _, kid := range hostileKeyIDs("k-ES256", fifo) {
		if strings.HasPrefix(kid, `"\u`) {
			continue // the same text in JSON
		}
		head := `{"alg":"ES256","kid":` + kid + `}`
		w.nobody("kid "+kid[:min(len(kid), 40)], w.signed("ES256", head, w.issuer.claims(t, nil)))
	}
	nobodyAt(t, fifo)
	if n := w.issuer.asked.Load() - asked; n > 1 {
		t.Errorf("made-up kids had the issuer asked %d times", n)
	}
}

func TestJ09OutsideTwoKeysOfOneNameAndSecretsInASet(t *testing.T) {
	keys, others := newOutsideKeys(t), newOutsideKeys(t)
	secret := []byte("a secret that all the world can read")
	o := newKeyIssuer(t,
		josePublic("twice", keys["ES256"].Public()), josePublic("twice", others["ES256"].Public()), josePublic("good", keys["RS256"].Public()),
		map[string]any{"kty": "oct", "kid": "hs", "alg": "HS256", "k": b64url(string(secret))},
		map[string]any{"kty": "oct", "kid": "rs", "alg": "RS256", "k": b64url(string(secret))},
	)
	w := startJose(t, o.URL)
	payload := o.claims(t, nil)
	w.passed(w.get("/x", bearerOf(joseSign(t, jwt.SigningMethodRS256, keys["RS256"], `{"alg":"RS256","kid":"good"}`, payload))))
	for _, k := range []crypto.Signer{keys["ES256"], others["ES256"]} {
		w.nobody("a key whose name another has", joseSign(t, jwt.SigningMethodES256, k, `{"alg":"ES256","kid":"twice"}`, payload))
	}
	for _, head := range []string{`{"alg":"HS256","kid":"hs"}`, `{"alg":"HS256","kid":"good"}`, `{"alg":"RS256","kid":"rs"}`, `{"alg":"HS256"}`} {
		w.nobody("a secret of the set with "+head, joseSign(t, jwt.SigningMethodHS256, secret, head, payload))
	}
}

func TestJ11J12J13OutsideOtherSerialisations(t *testing.T) {
	w := startOutside(t)
	text := w.good()
	for i, odd := range append(joseInJSON(text), oddSegments(text)...) {
		began := time.Now()
		w.nobody(fmt.Sprintf("form %d", i), odd)
		if took := time.Since(began); took > quick {
			t.Errorf("form %d took %s", i, took)
		}
	}
	w.passed(w.get("/x", bearerOf(text)))
}

func TestJ14OutsideDates(t *testing.T) {
	w := startOutside(t)
	now := time.Now().Unix()
	with := func(member, value string) string {
		payload := w.issuer.claims(t, map[string]any{member: nil})
		if value != "" {
			payload = fmt.Sprintf("%s,%q:%s}", strings.TrimSuffix(payload, "}"), member, value)
		}
		return w.signed("ES256", outsideHead("ES256"), payload)
	}
	w.passed(w.get("/x", bearerOf(with("exp", fmt.Sprint(now+60)))))
	for _, value := range []string{
		"", "null", `"9999999999"`, "-1", "0", "1e308", "1e400", "9007199254740993", "true", "[]", fmt.Sprint(now - 1), fmt.Sprint(now - 61),
		fmt.Sprintf(`%d,"exp":9999999999`, now-1), fmt.Sprintf(`%d,"Exp":9999999999`, now-1),
	} {
		w.nobody("exp "+value, with("exp", value))
	}
	for _, member := range []string{"nbf", "iat"} {
		for _, value := range []string{fmt.Sprint(now + 90), `"1"`, "null", "true", "-1"} {
			w.nobody(member+" "+value, with(member, value))
		}
	}
}

func TestJ15OutsideAnotherIssuerOrAudience(t *testing.T) {
	w := startOutside(t)
	signed := func(member string, value any) string {
		return w.signed("ES256", outsideHead("ES256"), w.issuer.claims(t, map[string]any{member: value}))
	}
	for _, aud := range []any{
		nil, "", "other", "api.evil", "api/", "API", " api", "ap",
		[]string{},
		[]string{"other"},
		[]any{"api", 7},
		[]any{[]string{"api"}},
		7, true,
		map[string]any{"api": true},
	} {
		w.nobody(fmt.Sprintf("aud %v", aud), signed("aud", aud))
	}
	w.passed(w.get("/x", bearerOf(signed("aud", []string{"other", "api"}))))
	for _, iss := range []any{
		nil, "", w.issuer.URL + "/", strings.ToUpper(w.issuer.URL), strings.Replace(w.issuer.URL, "http:", "HTTP:", 1), w.issuer.URL + "#", w.issuer.URL + "@evil",
		[]string{w.issuer.URL},
		7, "gatehouse:default", strings.TrimSuffix(w.issuer.URL, w.issuer.URL[len(w.issuer.URL)-1:]),
	} {
		w.nobody(fmt.Sprintf("iss %v", iss), signed("iss", iss))
	}
}

func TestJ16OutsideATokenOfAnotherKind(t *testing.T) {
	w := startOutside(t)
	for _, typ := range []string{"id+jwt", "logout+jwt", "refresh", "JWE", "dpop+jwt", "gatehouse-assertion+jwt"} {
		head := fmt.Sprintf(`{"alg":"ES256","kid":"k-ES256","typ":%q}`, typ)
		w.nobody("typ "+typ, w.signed("ES256", head, w.issuer.claims(t, nil)))
	}
	for name, value := range map[string]any{
		"at_hash": "x", "c_hash": "x", "events": map[string]any{}, "cnf": map[string]any{"jkt": "x"}, "typ": "Refresh", "token_use": "id",
	} {
		w.nobody("the claim "+name, w.signed("ES256", outsideHead("ES256"), w.issuer.claims(t, map[string]any{name: value})))
	}
}

func TestJ17OutsideARespeltTokenIsAnother(t *testing.T) {
	w := startOutside(t)
	for name := range w.keys {
		text := w.signed(name, outsideHead(name), w.issuer.claims(t, nil))
		w.passed(w.get("/x", bearerOf(text)))
		for _, other := range respellings(t, text) {
			if other != text {
				w.nobody("spelt "+other, other)
			}
		}
	}
}

// A mirrored signature of an outside token verifies: nothing of such a token is
// revoked here, so it gains nothing. What must not verify is a signature of
// nothing.
func TestJ19OutsideSignaturesOfZero(t *testing.T) {
	w := startOutside(t)
	text := w.good()
	before := text[:strings.LastIndex(text, ".")+1]
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, before))
	if err != nil {
		t.Fatal(err)
	}
	bad, _ := oddSignatures(t, raw)
	for name, signature := range bad {
		w.nobody(name, before+b64url(string(signature)))
	}
}

func TestJ20OutsideSaltsAndWeakKeys(t *testing.T) {
	keys := newOutsideKeys(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // weak is what it is for
	if err != nil {
		t.Fatal(err)
	}
	o := newKeyIssuer(t, append(publicOf(keys), josePublic("weak", &weak.PublicKey))...)
	w := &outsideWorld{joseWorld: startJose(t, o.URL), issuer: o, keys: keys}
	payload := o.claims(t, nil)
	w.nobody("a key of 1024 bits", joseSign(t, jwt.SigningMethodRS256, weak, `{"alg":"RS256","kid":"weak"}`, payload))
	salted := func(length int) string {
		m := &jwt.SigningMethodRSAPSS{
			SigningMethodRSA: jwt.SigningMethodPS256.SigningMethodRSA,
			Options:          &rsa.PSSOptions{SaltLength: length, Hash: crypto.SHA256},
		}
		return joseSign(t, m, keys["PS256"], outsideHead("PS256"), payload)
	}
	w.passed(w.get("/x", bearerOf(salted(32)))) // RFC 7518 section 3.5
	for _, length := range []int{0, 20, 31, 33, 64} {
		if length == 0 {
			continue // 0 stands for the longest in Go
		}
		w.nobody(fmt.Sprintf("a salt of %d bytes", length), salted(length))
	}
	w.nobody("the longest salt", salted(rsa.PSSSaltLengthAuto))
}

func TestJ23ATokenOfOneIssuerSignedByAnother(t *testing.T) {
	a, b := newOutsideKeys(t), newOutsideKeys(t)
	first, second := newKeyIssuer(t, publicOf(a)...), newKeyIssuer(t, publicOf(b)...) // the names of the keys are the same
	w := startJose(t, first.URL, second.URL)
	for name := range a {
		m, head := jwt.GetSigningMethod(name), outsideHead(name)
		for _, c := range []struct {
			of         *keyIssuer
			right, not crypto.Signer
		}{{first, a[name], b[name]}, {second, b[name], a[name]}} {
			payload := c.of.claims(t, nil)
			got := w.passed(w.get("/x", bearerOf(joseSign(t, m, c.right, head, payload))))
			if subject := got.Header.Get("X-Auth-Subject"); subject != c.of.URL+"|8f3a" {
				t.Errorf("the subject is %s", subject)
			}
			w.nobody(name+" of the other issuer", joseSign(t, m, c.not, head, payload))
		}
	}
	f := w.forger("access-token ES256", claimsFor["access-token ES256"])
	payload := first.claims(t, nil)
	w.nobody("our own key under the name of an issuer", joseSign(t, f.method, f.key, f.head, payload))
	w.nobody("our own key under the issuer's kid", joseSign(t, f.method, f.key, outsideHead("ES256"), payload))
	w.nobody("the issuer's key under our kid", joseSign(t, f.method, a["ES256"], f.head, payload))
	w.nobody("the issuer's key and our claims", joseSign(t, f.method, a["ES256"], outsideHead("ES256"), f.payload))
}

func TestJ24AnIssuerThatRotatesItsKeysOrIsDown(t *testing.T) {
	old, next := newOutsideKeys(t), newOutsideKeys(t)
	o := newKeyIssuer(t, josePublic("old", old["ES256"].Public()))
	w := startJose(t, o.URL)
	text := func(kid string, key crypto.Signer) string {
		return joseSign(t, jwt.SigningMethodES256, key, `{"alg":"ES256","kid":"`+kid+`"}`, o.claims(t, nil))
	}
	before, after := text("old", old["ES256"]), text("new", next["ES256"])
	w.passed(w.get("/x", bearerOf(before)))
	w.nobody("a key that is not published", after)

	o.down.Store(true)
	w.passed(w.get("/x", bearerOf(text("old", old["ES256"])))) // what is known counts while the issuer is down

	o.down.Store(false)
	o.publish(t, josePublic("new", next["ES256"].Public()))
	// The cool-down of an attempt that gave nothing has to pass first.
	eventually(t, 30*time.Second, "the new key counts", func() bool { return w.get("/x", bearerOf(after)).status == http.StatusOK })
	w.nobody("a key that was withdrawn", before)
	w.nobody("another token of it", text("old", old["ES256"]))
	o.down.Store(true)
	w.nobody("a key that was withdrawn, while the issuer is down", before)
}
