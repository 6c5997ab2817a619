package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// The attacks of RFC 8725 and of public advisories on JWTs, against a signer
// that the attacker has one genuine token of.

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge joins an encoded header and a payload, signed with HS256 under key; a
// nil key signs with the empty secret.
func forge(head, payload string, key []byte) string {
	signed := head + "." + b64(payload)
	h := hmac.New(sha256.New, key)
	h.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// payload is what a genuine token says, with members replaced or, by nil,
// taken out.
func payload(t testing.TB, change map[string]any) string {
	t.Helper()
	text, err := claims().encode("default")
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]any{}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	for name, v := range change {
		members[name] = v
		if v == nil {
			delete(members, name)
		}
	}
	return jsonOf(t, members)
}

// secretOf is the HMAC key behind a bench: what an attacker never has, used to
// show that what is refused is refused for what it says.
func (b *bench) secretOf() []byte { return b.set.Load().active[UseToken].pair.sign.([]byte) }

func (b *bench) kid() string { return b.store.rows[0].ID }

func TestForgeMakesWhatVerifyTakes(t *testing.T) { // else the rows below prove nothing
	b := newBench(t)
	text := b.sign(t, "default", claims())
	if again := forge(header("HS256", b.kid(), typeJWT), payload(t, nil), b.secretOf()); again != text {
		t.Fatal("the forger of these tests does not write what a signer writes")
	}
	b.accepted(t, text)
}

func TestJ01J02AlgorithmNone(t *testing.T) {
	b := newBench(t)
	genuine := strings.Split(b.sign(t, "default", claims()), ".")
	for _, alg := range []string{`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `""`, `null`, `0`, `["HS256"]`, `"HS384"`, `"hs256"`} {
		head := b64(`{"alg":` + alg + `,"kid":"` + b.kid() + `","typ":"JWT"}`)
		b.refused(t, head+"."+genuine[1]+".", auth.ReasonForm) // no signature
		b.refused(t, head+"."+genuine[1]+"."+genuine[2], auth.ReasonSignature)
		b.refused(t, forge(head, payload(t, nil), b.secretOf()), auth.ReasonSignature)
	}
	missing := b64(`{"kid":"` + b.kid() + `","typ":"JWT"}`)
	b.refused(t, forge(missing, payload(t, nil), b.secretOf()), auth.ReasonSignature)
}

func TestJ03PublicKeyAsSecret(t *testing.T) {
	for _, name := range []string{"RS256", "ES256", "EdDSA"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, row(t, name, UseToken))
			b.accepted(t, b.sign(t, "default", claims()))
			public := b.set.Load().active[UseToken].pair.verify
			der, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
			jwk, _ := json.Marshal(public)
			for _, key := range [][]byte{block, []byte(strings.TrimSpace(string(block))), der, jwk, fmt.Append(nil, public)} {
				b.refused(t, forge(header("HS256", b.kid(), typeJWT), payload(t, nil), key), auth.ReasonSignature)
				b.refused(t, forge(header(name, b.kid(), typeJWT), payload(t, nil), key), auth.ReasonSignature)
			}
		})
	}
}

func TestJ04J05J06KeysInTheHeader(t *testing.T) {
	b := newBench(t)
	b.sign(t, "default", claims())
	mine := []byte("the attacker's own key, 32 bytes")
	for _, member := range []string{
		`"jwk":{"kty":"oct","alg":"HS256","k":"` + b64(string(mine)) + `"}`,
		`"jku":"http://127.0.0.1:9/keys"`, `"jku":"file:///dev/null"`, `"x5u":"http://169.254.169.254/"`,
		`"x5c":["MIIB"]`, `"x5t":"AAAA"`, `"x5t#S256":"AAAA"`,
		`"crit":["exp"],"exp":1`, `"crit":[]`, `"b64":false,"crit":["b64"]`, `"zip":"DEF"`, `"cty":"JWT"`,
	} {
		head := b64(`{"alg":"HS256","kid":"` + b.kid() + `",` + member + `,"typ":"JWT"}`)
		b.refused(t, forge(head, payload(t, nil), mine), auth.ReasonSignature)
		b.refused(t, forge(head, payload(t, nil), b.secretOf()), auth.ReasonSignature)
	}
}

func TestJ07KidOfAnotherKind(t *testing.T) {
	b := newBench(t)
	b.sign(t, "default", claims())
	before := b.store.count()
	for _, kid := range []string{
		`"../../dev/null"`, `"/proc/sys/kernel/randomize_va_space"`, `"' UNION SELECT 'k"`, `"key.pem|id"`, `""`,
		`"` + strings.Repeat("k", 1<<20) + `"`, `"` + strings.Repeat("k", 2000) + `"`, `["` + b.kid() + `"]`, `7`, `null`, `{}`, `true`,
		`"` + strings.ToUpper(b.kid()) + `"`, `"` + b.kid()[1:] + `"`, `"` + b.kid() + ` "`, `"` + strings.Repeat("0", keyIDLen) + `"`,
	} {
		for _, key := range [][]byte{nil, b.secretOf()} {
			text := forge(b64(`{"alg":"HS256","kid":`+kid+`,"typ":"JWT"}`), payload(t, nil), key)
			want := auth.ReasonSignature
			if len(text) > MaxJWT {
				want = auth.ReasonForm
			}
			if kid == `"`+b.kid()+`"` {
				t.Fatal("this kid is the genuine one")
			}
			b.refused(t, text, want)
			if b.Ours(text) {
				t.Errorf("%.40s is ours", kid)
			}
		}
	}
	if b.store.count() != before {
		t.Error("a made-up kid asked the store")
	}
}

func TestJ11SerialisedAsJSON(t *testing.T) {
	b := newBench(t)
	s := strings.Split(b.sign(t, "default", claims()), ".")
	for _, text := range []string{
		`{"protected":"` + s[0] + `","payload":"` + s[1] + `","signature":"` + s[2] + `"}`,
		`{"payload":"` + s[1] + `","signatures":[{"protected":"` + s[0] + `","signature":"` + s[2] + `"}]}`,
		`{"payload":"` + s[1] + `","signatures":[{"protected":"` + s[0] + `","signature":"AA"},{"protected":"` + s[0] + `","signature":"` + s[2] + `"}]}`,
		`{"a":"` + strings.Join(s, ".") + `"}`,
		`"` + strings.Join(s, ".") + `"`,
	} {
		b.refused(t, text, auth.ReasonForm)
	}
}

func TestJ12J13OtherCountsOfSegments(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "default", claims())
	s := strings.Split(text, ".")
	p2c := b64(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483648,"p2s":"AAAAAAAA","zip":"DEF"}`)
	for _, text := range []string{
		"", ".", "..", "...", s[0], s[0] + "." + s[1], s[0] + "." + s[1] + ".", "." + s[1] + "." + s[2], s[0] + ".." + s[2],
		text + ".", "." + text, text + "." + s[2], p2c + ".AAAA.AAAA.AAAA.AAAA", strings.Repeat(".", 1<<20), strings.Repeat("a.", 4000),
		s[0] + "." + s[1] + "." + strings.Repeat("A", MaxJWT),
	} {
		b.refused(t, text, auth.ReasonForm)
	}
	dots := strings.Repeat(".", 1<<20)
	if n := testing.AllocsPerRun(10, func() { _, _ = b.Verify(t.Context(), "default", dots) }); n > 2 {
		t.Errorf("a megabyte of dots costs %v allocations", n)
	}
}

func TestJ14DatesMissingOrOfAnotherKind(t *testing.T) {
	b := newBench(t)
	b.sign(t, "default", claims())
	at := start.Unix()
	raw := func(member, value string) string { // json.Marshal cannot write all of these
		text := payload(t, map[string]any{member: nil})
		return text[:len(text)-1] + `,"` + member + `":` + value + "}"
	}
	for name, text := range map[string]string{
		"no exp": payload(t, map[string]any{"exp": nil}), "exp null": raw("exp", "null"),
		"exp as text": raw("exp", `"9999999999"`), "exp negative": raw("exp", "-1"), "exp 1e308": raw("exp", "1e308"),
		"exp 1e400": raw("exp", "1e400"), "exp 2^53+1": raw("exp", "9007199254740993"), "exp 2^63": raw("exp", "9223372036854775808"),
		"exp a fraction": raw("exp", "1770206077.5"), "exp true": raw("exp", "true"), "exp a list": raw("exp", "[1770206077]"),
		"no iat": payload(t, map[string]any{"iat": nil}), "iat as text": raw("iat", `"1770202477"`),
		"iat in the future": raw("iat", fmt.Sprint(at+61)), "iat negative": raw("iat", "-5"),
		"nbf in the future": raw("nbf", fmt.Sprint(at+1)), "nbf at all": raw("nbf", fmt.Sprint(at)),
		"an audience": raw("aud", `"api"`), "no jti": payload(t, map[string]any{"jti": nil}), "jti a number": raw("jti", "7"),
		"jti empty": raw("jti", `""`), "no sub": payload(t, map[string]any{"sub": nil}), "sub a list": raw("sub", `["a"]`),
		"trailing bytes": payload(t, nil) + "{}",
		"a text":         `"x"`, "not JSON": "{", "Latin-1": "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			b.refused(t, forge(header("HS256", b.kid(), typeJWT), text, b.secretOf()), auth.ReasonForm)
		})
	}
	for name, text := range map[string]string{
		"null": "null", "a list": "[]", "nothing in it": "{}", "no iss": payload(t, map[string]any{"iss": nil}),
		"iss a list": raw("iss", `["gatehouse:default"]`), "iss with a slash": raw("iss", `"gatehouse:default/"`),
		"iss of another case": raw("iss", `"Gatehouse:default"`),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := b.Verify(t.Context(), "default", forge(header("HS256", b.kid(), typeJWT), text, b.secretOf()))
			if err == nil || auth.CodeOf(err) != auth.InvalidCredential || c.ID != "" {
				t.Errorf("verify: %v", err)
			}
		})
	}
	for _, ago := range []time.Duration{time.Second, 61 * time.Second} {
		text := raw("exp", fmt.Sprint(start.Add(-ago).Unix()))
		b.refused(t, forge(header("HS256", b.kid(), typeJWT), text, b.secretOf()), auth.ReasonExpired)
		b.refused(t, forge(header("HS256", b.kid(), typeJWT), text, []byte("another")), auth.ReasonSignature)
	}
}

func TestJ14NumbersWhereDatesAreText(t *testing.T) {
	b := newBench(t)
	c := claims()
	c.TextDates = true
	b.sign(t, "default", c)
	key := b.set.Load().active[UseTextDates].pair.sign.([]byte)
	text := func(exp any) string {
		return forge(header("HS256", b.kid(), typeJWT), payload(t, map[string]any{"exp": exp, "iat": "1770202477"}), key)
	}
	b.accepted(t, text("1770206077"))
	for _, exp := range []any{1770206077, "01770206077", "+1770206077", "1770206077 ", "1770206077.0", "0x698324bd", "-1", "", "999999999999999"} {
		b.refused(t, text(exp), auth.ReasonForm)
	}
}

func TestJ16TypeAndUseOfAnother(t *testing.T) {
	b := newBench(t, row(t, "HS256", UseToken), row(t, "HS256", "assertion"))
	b.accepted(t, b.sign(t, "default", claims()))
	for _, typ := range []string{`"at+jwt"`, `"jwt"`, `"JWS"`, `"JWE"`, `"refresh"`, `""`, `null`} {
		head := b64(`{"alg":"HS256","kid":"` + b.kid() + `","typ":` + typ + `}`)
		b.refused(t, forge(head, payload(t, nil), b.secretOf()), auth.ReasonSignature)
	}
	before := b.store.count()
	head := b64(`{"alg":"HS256","kid":"` + newKeyID(b.ring) + `","typ":"JWE"}`)
	b.refused(t, forge(head, payload(t, nil), b.secretOf()), auth.ReasonSignature)
	if b.store.count() != before || b.Ours(head+".") {
		t.Error("another typ asked the store for its kid")
	}
	assertion := openSigningKey(b.store.rows[1], b.ring)
	text := forge(assertion.header, payload(t, nil), assertion.pair.sign.([]byte))
	b.refused(t, text, auth.ReasonSignature)
}

// One token has one spelling: of all texts one edit away from a genuine one
// none is accepted.
func TestJ17J18RespeltTokens(t *testing.T) {
	for name := range algorithms {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, row(t, name, UseToken))
			text := b.sign(t, "default", claims())
			b.accepted(t, text)
			check := func(what, other string) {
				t.Helper()
				if other == text {
					t.Fatal("this spelling is the genuine one")
				}
				if _, err := b.Verify(t.Context(), "default", other); err == nil {
					t.Errorf("%s is accepted", what)
				}
			}
			s := strings.Split(text, ".")
			for i := range s {
				for _, add := range []string{"=", "==", "\n", "\r\n", " ", "A", "%3D", "\x00"} {
					spelt := []string{s[0], s[1], s[2]}
					spelt[i] = s[i] + add
					check(fmt.Sprintf("segment %d with %q behind", i, add), strings.Join(spelt, "."))
					spelt[i] = add + s[i]
					check(fmt.Sprintf("segment %d with %q before", i, add), strings.Join(spelt, "."))
					spelt[i] = s[i][:3] + add + s[i][3:]
					check(fmt.Sprintf("segment %d with %q within", i, add), strings.Join(spelt, "."))
				}
			}
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			last := s[2][len(s[2])-1]
			for i := range len(alphabet) { // trailing bits of the signature
				if alphabet[i] != last {
					check("another last character", text[:len(text)-1]+alphabet[i:i+1])
				}
			}
			standard := strings.NewReplacer("-", "+", "_", "/").Replace(text)
			if standard != text {
				check("the standard alphabet", standard)
			}
			check("the Bearer scheme before it", "Bearer "+text)
			for _, head := range []string{
				`{"typ":"JWT","alg":"` + name + `","kid":"` + b.kid() + `"}`,
				`{"alg":"` + name + `", "kid":"` + b.kid() + `","typ":"JWT"}`,
				`{"ALG":"` + name + `","kid":"` + b.kid() + `","typ":"JWT"}`,
				`{"alg":"` + name + `","kid":"` + b.kid() + `","typ":"JWT"}` + "\n",
			} {
				check("a header written otherwise", b64(head)+"."+s[1]+"."+s[2])
			}
		})
	}
}

func TestJ19MalleableECDSA(t *testing.T) {
	b := newBench(t, row(t, "ES256", UseToken))
	s := strings.Split(b.sign(t, "default", claims()), ".")
	for name, signature := range map[string][]byte{
		"r and s zero": make([]byte, 64), "a byte short": make([]byte, 63), "a byte long": make([]byte, 65),
		"DER": {0x30, 6, 2, 1, 0, 2, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b.refused(t, s[0]+"."+s[1]+"."+base64.RawURLEncoding.EncodeToString(signature), auth.ReasonSignature)
		})
	}
}

func FuzzVerify(f *testing.F) {
	ring := ringOf(f, firstKey)
	b := newBench(f)
	// The key is fixed, so that a text means the same in every process.
	k := &signingKey{id: "0123456789abcdef", use: UseToken, algorithm: algorithms["HS256"], active: true}
	sum := ring.MAC("signing key id", k.id)
	k.id += fmt.Sprintf("%x", sum[:keyIDHalf/2])
	k.header = header("HS256", k.id, typeJWT)
	k.longest.Store(int64(2 * time.Hour)) // the store does not know the key: nothing is noted there
	k.pair, _ = parseHMAC([]byte("0123456789abcdef0123456789abcdef"))
	set := &keySet{read: start, byHeader: map[string]*signingKey{k.header: k}, active: map[string]*signingKey{UseToken: k}}
	b.set.Store(set)
	genuine := b.sign(f, "default", claims())
	f.Add(genuine)
	f.Add(genuine + "=")
	f.Add(genuine[:len(genuine)-1])
	f.Add(strings.Split(genuine, ".")[0] + ".bnVsbA.AAAA")
	f.Add("..")
	f.Add(forge(k.header, "{}", nil))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := b.Verify(t.Context(), "default", text)
		if (err == nil) != (text == genuine) {
			t.Fatalf("verify = %v", err)
		}
		if err != nil && (auth.CodeOf(err) != auth.InvalidCredential || c.ID != "") {
			t.Fatalf("refused as %v with claims %v", err, c)
		}
		if b.Ours(text) != (len(text) <= MaxJWT && strings.HasPrefix(text, k.header+".")) {
			t.Fatal("Ours disagrees with the header")
		}
		// The claims decoder, past the signature: whatever it takes it writes
		// and takes again.
		c, err = decodeClaims([]byte(text), "default", UseToken, start)
		if err != nil {
			return
		}
		written, err := c.encode("default")
		if err != nil && c.Expires.After(c.Issued) {
			t.Fatalf("claims that were read cannot be written: %v", err)
		}
		if err == nil {
			if again, err := decodeClaims(written, "default", UseToken, start); err != nil || again.ID != c.ID || !again.Expires.Equal(c.Expires) {
				t.Fatalf("claims read again are %v, %v", again, err)
			}
		}
	})
}
