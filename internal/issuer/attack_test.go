package issuer

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// The attacks of RFC 8725 and of public advisories on JWTs, against a site that
// trusts two issuers. The rows of J that are about keys of our own are tested in
// package token.

// known is a world whose first issuer has one key, and that key.
func known(t testing.TB, algorithm string) (*world, signer) {
	t.Helper()
	c := config(alpha)
	c.Algorithms = []string{algorithm}
	w := newWorld(t, c, config(beta))
	s := newSigner(t, "k1", algorithm)
	w.publish(alpha, s.jwk(t))
	w.accepted(t, s.sign(t, s.header(), claims(alpha, nil))) // else the rows prove nothing
	return w, s
}

func hs256(signed string, key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(signed))
	return signed + "." + b64(h.Sum(nil))
}

func TestEveryAlgorithmVerifiesWhereItIsNamed(t *testing.T) {
	for name := range methods {
		t.Run(name, func(t *testing.T) { known(t, name) })
	}
}

func TestJ01J02AlgorithmNone(t *testing.T) {
	w, s := known(t, "RS256")
	genuine := strings.Split(s.sign(t, s.header(), claims(alpha, nil)), ".")
	for _, alg := range []string{`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `""`, `null`, `0`, `["RS256"]`, `"rs256"`, `"HS256"`, `"RS384"`} {
		head := b64([]byte(`{"alg":` + alg + `,"kid":"k1"}`))
		w.refused(t, head+"."+genuine[1]+".", auth.ReasonForm)
		w.refused(t, head+"."+genuine[1]+"."+genuine[2], auth.ReasonForm)
	}
	w.refused(t, b64([]byte(`{"kid":"k1"}`))+"."+genuine[1]+"."+genuine[2], auth.ReasonForm)
	w.refused(t, genuine[0]+"."+genuine[1]+".", auth.ReasonForm)
}

func TestJ03PublicKeyAsSecret(t *testing.T) {
	for _, name := range []string{"RS256", "ES256", "EdDSA"} {
		t.Run(name, func(t *testing.T) {
			w, s := known(t, name)
			der, err := x509.MarshalPKIXPublicKey(s.private.Public())
			if err != nil {
				t.Fatal(err)
			}
			block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
			for _, key := range [][]byte{block, []byte(strings.TrimSpace(string(block))), der, jsonOf(t, s.jwk(t)), nil} {
				for _, alg := range []string{"HS256", name} {
					head := jsonOf(t, map[string]any{"alg": alg, "kid": "k1"})
					want := auth.ReasonSignature
					if alg == "HS256" {
						want = auth.ReasonForm
					}
					w.refused(t, hs256(b64(head)+"."+b64(jsonOf(t, claims(alpha, nil))), key), want)
				}
			}
		})
	}
}

func TestJ04J05J06KeysInTheHeaderCountForNothing(t *testing.T) {
	w, s := known(t, "RS256")
	mine := newSigner(t, "k1", "RS256")
	before := w.addresses()
	for name, value := range map[string]any{
		"jwk": mine.jwk(t), "jku": "https://evil.example/keys", "x5u": "http://169.254.169.254/", "x5c": []string{"MIIB"},
		"x5t": "AAAA", "x5t#S256": "AAAA",
	} {
		head := mine.header()
		head[name] = value
		w.refused(t, mine.sign(t, head, claims(alpha, nil)), auth.ReasonSignature)
		head = s.header()
		head[name] = value
		w.accepted(t, s.sign(t, head, claims(alpha, nil))) // some issuers write such members
	}
	for _, head := range []string{
		`"crit":["exp"],"exp":1`, `"crit":[]`, `"b64":false,"crit":["b64"]`, `"b64":true`, `"kid":"k1"`, `"alg":"RS256"`,
	} {
		text := []byte(`{"alg":"RS256","kid":"k1",` + head + `}`)
		w.refused(t, s.signTexts(t, text, jsonOf(t, claims(alpha, nil))), auth.ReasonForm)
	}
	if after := w.addresses(); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("these were asked: %v", after)
	}
}

func TestJ07KidOfAnotherKind(t *testing.T) {
	w, s := known(t, "RS256")
	for _, kid := range []string{
		`"../../dev/null"`, `"/proc/sys/kernel/randomize_va_space"`, `"' UNION SELECT 'k"`, `"key.pem|id"`, `"K1"`, `"k1 "`,
	} {
		head := []byte(`{"alg":"RS256","kid":` + kid + `}`)
		w.refused(t, s.signTexts(t, head, jsonOf(t, claims(alpha, nil))), auth.ReasonSignature)
	}
	for _, kid := range []string{`""`, `["k1"]`, `7`, `null`, `{}`, `true`, `"` + strings.Repeat("k", 2000) + `"`} {
		head := []byte(`{"alg":"RS256","kid":` + kid + `}`)
		w.refused(t, s.signTexts(t, head, jsonOf(t, claims(alpha, nil))), auth.ReasonForm)
	}
	huge := []byte(`{"alg":"RS256","kid":"` + strings.Repeat("k", 1<<20) + `"}`)
	w.refused(t, s.signTexts(t, huge, jsonOf(t, claims(alpha, nil))), "")
	if n := w.count(); n != 1 { // within the cool-down
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestJ09KeysOfOneNameAndSecretKeysInASet(t *testing.T) {
	w := newWorld(t)
	one, two, good := newSigner(t, "k1", "RS256"), newSigner(t, "k1", "ES256"), newSigner(t, "k2", "ES256")
	secret := map[string]any{"kty": "oct", "kid": "hs", "alg": "HS256", "k": b64([]byte("a secret that all the world reads"))}
	w.publish(alpha, one.jwk(t), two.jwk(t), secret, good.jwk(t))
	w.accepted(t, good.sign(t, good.header(), claims(alpha, nil)))
	for _, s := range []signer{one, two} {
		w.refused(t, s.sign(t, s.header(), claims(alpha, nil)), auth.ReasonSignature)
	}
	head := jsonOf(t, map[string]any{"alg": "HS256", "kid": "hs"})
	w.refused(t, hs256(b64(head)+"."+b64(jsonOf(t, claims(alpha, nil))), []byte("a secret that all the world reads")), auth.ReasonForm)
}

func TestJ11J12J13OtherSerialisations(t *testing.T) {
	w, s := known(t, "RS256")
	text := s.sign(t, s.header(), claims(alpha, nil))
	p := strings.Split(text, ".")
	p2c := b64([]byte(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483648,"p2s":"AAAAAAAA","zip":"DEF"}`))
	for _, text := range []string{
		"", ".", "..", "...", p[0], p[0] + "." + p[1], text + ".", "." + text, p2c + ".AAAA.AAAA.AAAA.AAAA",
		strings.Repeat(".", 1<<20), p[0] + "." + p[1] + "." + strings.Repeat("A", MaxToken),
		`{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`,
		`{"payload":"` + p[1] + `","signatures":[{"protected":"` + p[0] + `","signature":"` + p[2] + `"}]}`,
		p[0] + ".." + p[2],
	} {
		w.refused(t, text, "")
	}
	w.refused(t, "."+p[1]+"."+p[2], auth.ReasonForm)
	w.refused(t, p2c+"."+p[1]+"."+p[2], auth.ReasonForm)
	dots := strings.Repeat(".", 1<<20)
	if n := testing.AllocsPerRun(10, func() { w.trust.Read(dots) }); n > 0 {
		t.Errorf("a megabyte of dots costs %v allocations", n)
	}
}

func TestJ14Dates(t *testing.T) {
	w, s := known(t, "ES256")
	at := start.Unix()
	raw := func(member, value string) string { // json.Marshal cannot write all of these
		text := string(jsonOf(t, claims(alpha, map[string]any{member: nil})))
		return s.signTexts(t, jsonOf(t, s.header()), []byte(text[:len(text)-1]+`,"`+member+`":`+value+"}"))
	}
	signed := func(change map[string]any) string { return s.sign(t, s.header(), claims(alpha, change)) }
	for name, text := range map[string]string{
		"no exp": signed(map[string]any{"exp": nil}), "exp null": raw("exp", "null"), "exp as text": raw("exp", `"9999999999"`),
		"exp negative": raw("exp", "-1"), "exp zero": raw("exp", "0"), "exp 1e308": raw("exp", "1e308"),
		"exp 2^53+1": raw("exp", "9007199254740993"), "exp true": raw("exp", "true"), "exp a list": raw("exp", "[1770206077]"),
		"nbf in the future": raw("nbf", fmt.Sprint(at+61)), "iat in the future": raw("iat", fmt.Sprint(at+61)),
		"nbf as text": raw("nbf", `"1"`), "iat null": raw("iat", "null"), "no sub": signed(map[string]any{"sub": nil}),
		"sub a list": raw("sub", `["a"]`), "sub empty": raw("sub", `""`), "sub a line break": raw("sub", `"a\nb"`),
		"sub not text": raw("sub", `"\ud800"`), "sub too long": raw("sub", `"`+strings.Repeat("a", 256)+`"`),
	} {
		t.Run(name, func(t *testing.T) { w.refused(t, text, auth.ReasonForm) })
	}
	for name, text := range map[string]string{
		"exp 1e400": raw("exp", "1e400"), "exp twice": raw("exp", "1,\"exp\":9999999999"), "trailing bytes": raw("x", "1}{"),
		"not UTF-8": raw("x", "\"\xff\""),
	} {
		t.Run(name, func(t *testing.T) { w.refused(t, text, "") })
	}
	for _, ago := range []int64{0, 1, 61} {
		w.refused(t, signed(map[string]any{"exp": at - ago}), auth.ReasonExpired)
		other := newSigner(t, "k1", "ES256")
		w.refused(t, other.sign(t, other.header(), claims(alpha, map[string]any{"exp": at - ago})), auth.ReasonSignature)
	}
	for name, text := range map[string]string{
		"exp a fraction": raw("exp", fmt.Sprintf("%d.5", at+10)), "nbf within the leeway": raw("nbf", fmt.Sprint(at+60)),
		"no nbf": signed(map[string]any{"nbf": nil}), "no iat": signed(map[string]any{"iat": nil}),
	} {
		t.Run(name, func(t *testing.T) { w.accepted(t, text) })
	}
	if p, _ := w.accepted(t, signed(map[string]any{"exp": at + 7})); !p.Expires.Equal(start.Add(7 * time.Second)) {
		t.Errorf("it expires %v", p.Expires)
	}
}

func TestJ15AudienceAndIssuer(t *testing.T) {
	w, s := known(t, "ES256")
	signed := func(change map[string]any) string { return s.sign(t, s.header(), claims(alpha, change)) }
	for _, aud := range []any{
		nil, "", "api", audience + ".evil", audience + "/", strings.ToUpper(audience),
		[]string{},
		[]string{"other"},
		[]any{audience, 7},
		7, true,
		map[string]any{audience: 1},
		" " + audience,
	} {
		w.refused(t, signed(map[string]any{"aud": aud}), auth.ReasonAudience)
	}
	w.accepted(t, signed(map[string]any{"aud": []string{"other", audience}}))
	for _, iss := range []any{nil, "", alpha + "/", strings.ToUpper(alpha), "https://alpha.example", []string{alpha}, 7, "https://alpha.example/realms/two"} {
		w.refused(t, signed(map[string]any{"iss": iss}), "")
	}
}

func TestJ16TokensThatAreNoAccessTokens(t *testing.T) {
	w, s := known(t, "ES256")
	for _, typ := range []string{"id+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "JWE", "refresh", "oauth-authz-req+jwt", "at+jwt "} {
		head := s.header()
		head["typ"] = typ
		w.refused(t, s.sign(t, head, claims(alpha, nil)), auth.ReasonForm)
	}
	for _, typ := range []any{"JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", nil} {
		head := s.header()
		if head["typ"] = typ; typ == nil {
			delete(head, "typ")
		}
		w.accepted(t, s.sign(t, head, claims(alpha, nil)))
	}
	for name, value := range map[string]any{
		"at_hash": "x", "c_hash": "x", "s_hash": "x", "typ": "Refresh", "token_use": "id", "events": map[string]any{},
		"cnf": map[string]any{"jkt": "x"},
	} {
		w.refused(t, s.sign(t, s.header(), claims(alpha, map[string]any{name: value})), auth.ReasonUnsupported)
	}
	w.accepted(t, s.sign(t, s.header(), claims(alpha, map[string]any{"typ": "Bearer", "token_use": "access"})))
}

func TestJ16OnlyTheTypesThatAreNamed(t *testing.T) {
	c := config(alpha)
	c.Types = []string{"AT+jwt"}
	w := newWorld(t, c)
	s := newSigner(t, "k1", "ES256")
	w.publish(alpha, s.jwk(t))
	w.accepted(t, s.sign(t, s.header(), claims(alpha, nil)))
	for _, typ := range []string{"JWT", ""} {
		head := s.header()
		if head["typ"] = typ; typ == "" {
			delete(head, "typ")
		}
		w.refused(t, s.sign(t, head, claims(alpha, nil)), auth.ReasonForm)
	}
}

func TestJ17J18RespeltTokens(t *testing.T) {
	w, s := known(t, "EdDSA")
	text := s.sign(t, s.header(), claims(alpha, nil))
	p := strings.Split(text, ".")
	for i := range p {
		for _, add := range []string{"=", "\n", "\r\n", " ", "A", "%3D", "\x00"} {
			spelt := []string{p[0], p[1], p[2]}
			spelt[i] = p[i] + add
			if _, _, err := w.verify(strings.Join(spelt, ".")); err == nil {
				t.Errorf("segment %d with %q behind is accepted", i, add)
			}
			spelt[i] = p[i][:3] + add + p[i][3:]
			if _, _, err := w.verify(strings.Join(spelt, ".")); err == nil {
				t.Errorf("segment %d with %q within is accepted", i, add)
			}
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range len(alphabet) {
		if other := text[:len(text)-1] + alphabet[i:i+1]; other != text {
			if _, _, err := w.verify(other); err == nil {
				t.Error("another last character is accepted")
			}
		}
	}
}

func TestJ19MalleableECDSA(t *testing.T) {
	w, s := known(t, "ES256")
	p := strings.Split(s.sign(t, s.header(), claims(alpha, nil)), ".")
	for name, sum := range map[string][]byte{
		"r and s zero": make([]byte, 64), "a byte short": make([]byte, 63), "a byte long": make([]byte, 65), "DER": {0x30, 6, 2, 1, 0, 2, 1, 0},
	} {
		t.Run(name, func(t *testing.T) { w.refused(t, p[0]+"."+p[1]+"."+b64(sum), auth.ReasonSignature) })
	}
}

func TestJ20SaltLengthAndWeakKeys(t *testing.T) {
	w, s := known(t, "PS256")
	loose := &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: jwt.SigningMethodPS256.SigningMethodRSA,
		Options:          &rsa.PSSOptions{SaltLength: 20},
	}
	signed := b64(jsonOf(t, s.header())) + "." + b64(jsonOf(t, claims(alpha, nil)))
	sum, err := loose.Sign(signed, s.private)
	if err != nil {
		t.Fatal(err)
	}
	w.refused(t, signed+"."+b64(sum), auth.ReasonSignature)

	big2048 := new(big.Int).Lsh(big.NewInt(1), 2047)
	n := func(v *big.Int) map[string]any {
		return map[string]any{"kty": "RSA", "kid": "k", "n": b64(v.Bytes()), "e": "AQAB"}
	}
	for name, jwk := range map[string]map[string]any{
		"1024 bits":  n(new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 1023), 0, 1)),
		"even":       n(big2048),
		"16384 bits": n(new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 16383), 0, 1)),
		"ROCA":       n(new(big.Int).Exp(big.NewInt(65537), big.NewInt(130), nil)),
		"e 1":        {"kty": "RSA", "kid": "k", "n": s.jwk(t)["n"], "e": "AQ"},
		"e 2":        {"kty": "RSA", "kid": "k", "n": s.jwk(t)["n"], "e": "Ag"},
	} {
		t.Run(name, func(t *testing.T) {
			if k, err := newKey(jwk); err == nil {
				t.Errorf("taken: %v", k.algorithms)
			}
		})
	}
}

// Each issuer has its own keys: the kid of one means nothing in the other.
func TestJ23KeyOfAnotherIssuer(t *testing.T) {
	w := newWorld(t)
	a, b := newSigner(t, "k1", "ES256"), newSigner(t, "k1", "ES256")
	w.publish(alpha, a.jwk(t))
	w.publish(beta, b.jwk(t))
	w.accepted(t, a.sign(t, a.header(), claims(alpha, nil)))
	w.accepted(t, b.sign(t, b.header(), claims(beta, nil)))
	w.refused(t, b.sign(t, b.header(), claims(alpha, nil)), auth.ReasonSignature)
	w.refused(t, a.sign(t, a.header(), claims(beta, nil)), auth.ReasonSignature)
	w.refused(t, a.sign(t, a.header(), claims("https://gamma.example", nil)), "")
}

func TestAnAlgorithmThatTheIssuerIsNotTrustedWith(t *testing.T) {
	w := newWorld(t) // RS256, ES256, EdDSA
	s := newSigner(t, "k1", "RS512")
	jwk := s.jwk(t)
	delete(jwk, "alg")
	w.publish(alpha, jwk)
	w.refused(t, s.sign(t, s.header(), claims(alpha, nil)), auth.ReasonForm)
	s.algorithm = "RS256"
	w.accepted(t, s.sign(t, s.header(), claims(alpha, nil)))
}

func TestTheKeySaysWhichAlgorithmItIsFor(t *testing.T) {
	c := config(alpha)
	c.Algorithms = []string{"RS256", "PS256", "RS512"}
	w := newWorld(t, c)
	s := newSigner(t, "k1", "RS256")
	w.publish(alpha, s.jwk(t))
	for _, other := range []string{"PS256", "RS512"} {
		o := signer{s.id, other, s.private}
		w.refused(t, o.sign(t, o.header(), claims(alpha, nil)), auth.ReasonSignature)
	}
	w.accepted(t, s.sign(t, s.header(), claims(alpha, nil)))
}
