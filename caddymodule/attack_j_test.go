package caddymodule

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// The attacks on JWTs that were issued here (RFC 8725, and public advisories).
// Those on the tokens of outside issuers are in attack_j_outside_test.go.

// everyUse runs f for a forger of each use, after it was seen that what such a
// forger plants passes where nothing is wrong with it.
func everyUse(t *testing.T, f func(*forger)) {
	t.Helper()
	w := startJose(t)
	for use, c := range claimsFor {
		w.run(use, func(t *testing.T) {
			one := w.forger(use, c)
			w.passed(w.get("/x", bearerOf(one.text)))
			w.passed(w.get("/x", bearerOf(one.planted(one.payload))))
			f(one)
		})
	}
}

// algorithmsOfNone are what an attacker calls none, and what is none of ours.
var algorithmsOfNone = []string{`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `""`, `null`, `0`, `[]`, `"HS512"`, `"hs256"`}

func TestJ01NoAlgorithmIsNoSignature(t *testing.T) {
	everyUse(t, func(f *forger) {
		for _, alg := range algorithmsOfNone {
			head := strings.Replace(f.head, `"`+f.method.Alg()+`"`, alg, 1)
			f.nobody("alg "+alg, f.headed(nil, nil, head))
			f.nobody("alg "+alg+", signed", f.underOwnKey(head))
		}
		head := strings.Replace(f.head, `"alg":"`+f.method.Alg()+`",`, "", 1)
		f.nobody("no alg", f.headed(nil, nil, head))
		f.nobody("no alg, signed", f.underOwnKey(head))
		f.nobody("the right alg and no signature", f.plantedBy(nil, nil, f.payload))
	})
}

func TestJ02NoAlgorithmWithTheOldSignature(t *testing.T) {
	everyUse(t, func(f *forger) {
		s := strings.Split(f.text, ".")
		for _, alg := range algorithmsOfNone {
			head := b64url(strings.Replace(f.head, `"`+f.method.Alg()+`"`, alg, 1))
			f.nobody("alg "+alg, head+"."+s[1]+"."+s[2])
		}
	})
}

// publicForms are the spellings of a public key that an HMAC could be made with.
func publicForms(t *testing.T, public any) [][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	jwk, err := josePublic("", public).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{block, []byte(strings.TrimSpace(string(block))), der, jwk, nil}
}

func TestJ03ThePublicKeyIsNoSecret(t *testing.T) {
	w := startJose(t)
	f := w.forger("access-token ES256", claimsFor["access-token ES256"])
	w.passed(w.get("/x", bearerOf(f.planted(f.payload))))
	forms := publicForms(t, f.key.(*ecdsa.PrivateKey).Public())
	set := w.get("/oauth2/jwks")
	if set.status != http.StatusOK || !strings.Contains(set.body, f.id) {
		t.Fatalf("the key is not published: %v", set)
	}
	forms = append(forms, []byte(set.body))
	for i, key := range forms {
		head := strings.Replace(f.head, "ES256", "HS256", 1)
		w.nobody(fmt.Sprintf("form %d as HS256", i), f.headed(jwt.SigningMethodHS256, key, head))
		w.nobody(fmt.Sprintf("form %d as ES256", i), f.plantedBy(jwt.SigningMethodHS256, key, f.payload))
	}
}

func TestJ04AKeyInTheHeaderIsNoKey(t *testing.T) {
	_, mine, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := josePublic("mine", mine.Public()).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	everyUse(t, func(f *forger) {
		for _, alg := range []string{f.method.Alg(), "EdDSA"} {
			head := strings.Replace(f.head, `"`+f.method.Alg()+`"`, `"`+alg+`","jwk":`+string(jwk), 1)
			f.nobody("jwk with "+alg, f.headed(jwt.SigningMethodEdDSA, mine, head))
			f.nobody("jwk beside our own signature", f.underOwnKey(head))
		}
		head := strings.Replace(f.head, "{", `{"jwk":{"kty":"oct","k":"AAAA"},`, 1)
		f.nobody("a secret in the header", f.headed(jwt.SigningMethodHS256, []byte{0, 0, 0}, head))
	})
}

// trap is an address of this machine that nobody must come to.
func trap(t *testing.T) (url string, visits *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	visits = &atomic.Int64{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "http://" + l.Addr().String(), visits
}

// joseAddresses are members that name where a key is.
func joseAddresses(url string) (members []string) {
	for _, name := range []string{"jku", "x5u", "iss"} {
		for _, to := range []string{url, url + "/keys#", strings.Replace(url, "127.0.0.1", "localhost", 1), "file:///etc/passwd", "http://169.254.169.254/"} {
			members = append(members, fmt.Sprintf("%q:%q", name, to))
		}
	}
	return members
}

func TestJ05NoAddressInAHeaderIsAsked(t *testing.T) {
	url, visits := trap(t)
	everyUse(t, func(f *forger) {
		for _, member := range joseAddresses(url) {
			f.nobody(member, f.underOwnKey(strings.Replace(f.head, "{", "{"+member+",", 1)))
			f.nobody(member, f.headed(nil, nil, `{"alg":"RS256","kid":"x",`+member+`}`))
		}
	})
	if n := visits.Load(); n != 0 {
		t.Errorf("the address was asked %d times", n)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil { // else the count proves nothing
		_ = c.Close()
	}
	eventually(t, 5*time.Second, "the trap counts", func() bool { return visits.Load() == 1 })
}

func TestJ06ACertificateInTheHeaderIsNoKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	everyUse(t, func(f *forger) {
		for _, member := range []string{
			`"x5c":["` + base64.StdEncoding.EncodeToString(der) + `"]`, `"x5t":"AAAAAAAAAAAAAAAAAAAAAAAAAAA"`, `"x5t#S256":"` + b64url(f.id) + `"`,
		} {
			head := strings.Replace(f.head, `"`+f.method.Alg()+`"`, `"RS256",`+member, 1)
			f.nobody(member[:6]+" signed by its key", f.headed(jwt.SigningMethodRS256, key, head))
			f.nobody(member[:6]+" beside our own signature", f.underOwnKey(strings.Replace(f.head, "{", "{"+member+",", 1)))
		}
	})
}

// hostileKeyIDs are what stands for a kid in an attack. fifo is a pipe that
// whoever opens it waits at.
func hostileKeyIDs(id, fifo string) []string {
	return []string{
		`"../../../../../../dev/null"`, `"/dev/null"`, `"/proc/sys/kernel/randomize_va_space"`, `"' UNION SELECT 'k"`, `"key.pem|id"`,
		`"` + fifo + `"`, `"file://` + fifo + `"`, `"../../../../../../../../../..` + fifo + `"`, `""`, `["` + id + `"]`, `7`, `null`, `{}`, `true`,
		`"` + strings.ToUpper(id) + `"`, `"` + id + ` "`, `"` + id + `\u0000"`, `"` + id[1:] + `"`, `"\u00` + fmt.Sprintf("%x", id[0]) + id[1:] + `"`,
		`"` + strings.Repeat("0", 32) + `"`, `"` + strings.Repeat("k", 4000) + `"`,
	}
}

// nobodyAt fails the test where somebody waits to open the pipe.
func nobodyAt(t *testing.T, fifo string) {
	t.Helper()
	fd, err := syscall.Open(fifo, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		_ = syscall.Close(fd)
		t.Error("a file that a kid names was opened")
	} else if !errors.Is(err, syscall.ENXIO) {
		t.Fatal(err)
	}
}

func newFIFO(t *testing.T) string {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "key")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	return fifo
}

func TestJ07AKeyIDIsNoPathAndNoQuery(t *testing.T) {
	fifo := newFIFO(t)
	everyUse(t, func(f *forger) {
		for _, kid := range hostileKeyIDs(f.id, fifo) {
			head := strings.Replace(f.head, `"`+f.id+`"`, kid, 1)
			f.nobody("kid "+kid[:min(len(kid), 40)], f.underOwnKey(head))
			f.nobody("an empty secret for kid "+kid[:min(len(kid), 40)], f.headed(jwt.SigningMethodHS256, []byte(""), head))
		}
	})
	nobodyAt(t, fifo)
}

func TestJ09TwoKeysOfOneName(t *testing.T) {
	w := startJose(t)
	f := w.forger(token.UseToken, claimsFor[token.UseToken])
	row := store.SigningKey{ID: f.id, Algorithm: "ES256", Use: token.UseToken, Sealed: []byte("x"), Created: store.Precise(time.Now())}
	if err := w.runtime().Store.SigningKeys.InsertSigningKey(t.Context(), row, false); err == nil {
		t.Error("the store took a second key of one id")
	}
	// A key is bound to its algorithm: it is not one of another that has its id.
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		w.nobody("our secret as "+alg, f.underOwnKey(strings.Replace(f.head, "HS256", alg, 1)))
	}
	w.passed(w.get("/x", bearerOf(f.text)))
}

func TestJ11ASignatureInJSONIsNoToken(t *testing.T) {
	everyUse(t, func(f *forger) {
		for i, text := range joseInJSON(f.text) {
			f.behind(token.NewID(), text)
			f.nobody(fmt.Sprintf("form %d", i), text)
		}
	})
}

// joseInJSON are the other serialisations of a signed text (RFC 7515 section
// 7.2).
func joseInJSON(text string) []string {
	s := strings.Split(text, ".")
	return []string{
		`{"protected":"` + s[0] + `","payload":"` + s[1] + `","signature":"` + s[2] + `"}`,
		`{"payload":"` + s[1] + `","signatures":[{"protected":"` + s[0] + `","signature":"` + s[2] + `"}]}`,
		`{"payload":"` + s[1] + `","signatures":[{"protected":"` + s[0] + `","signature":"AA"},{"protected":"` + s[0] + `","signature":"` + s[2] + `"}]}`,
		`"` + text + `"`, s[0] + ".." + s[2],
	}
}

// oddSegments are texts with other counts of segments than three, and encrypted
// ones (RFC 7516) that are dear to decrypt.
func oddSegments(text string) []string {
	s := strings.Split(text, ".")
	var jwe []string
	for _, head := range []string{
		`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483648,"p2s":"AAAAAAAA"}`,
		`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`, `{"alg":"RSA1_5","enc":"A128CBC-HS256"}`,
	} {
		jwe = append(jwe, b64url(head)+".AAAA.AAAA.AAAA.AAAA", b64url(head)+"....", b64url(head)+"."+s[1]+"."+s[2])
	}
	return append(jwe, s[0]+".", s[0]+"."+s[1], s[0]+"."+s[1]+".", "."+s[1]+"."+s[2], text+".", "."+text, text+"."+s[2], s[0]+".."+s[2], ".", "..", "...")
}

// quick is far more than a refusal takes, and far less than what it stops.
const quick = time.Second

func TestJ12AnEncryptedTextIsNotDecrypted(t *testing.T) {
	everyUse(t, func(f *forger) {
		for i, text := range oddSegments(f.text) {
			began := time.Now()
			f.nobody(fmt.Sprintf("form %d", i), text)
			if took := time.Since(began); took > quick {
				t.Errorf("form %d took %s", i, took)
			}
		}
	})
}

// The server answers 431 to what is longer than its fields may be, and never
// asks the gateway; what is shorter is the gateway's own to refuse.
func TestJ13AMegabyteOfDots(t *testing.T) {
	w := startJose(t)
	f := w.forger(token.UseToken, claimsFor[token.UseToken])
	w.passed(w.get("/x", bearerOf(f.text)))
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"a megabyte of dots":                 {strings.Repeat(".", 1<<20), http.StatusRequestHeaderFieldsTooLarge},
		"dots as many as the server takes":   {strings.Repeat(".", 12<<10), http.StatusUnauthorized},
		"dots as many as a credential has":   {strings.Repeat(".", 8<<10), http.StatusUnauthorized},
		"many segments":                      {strings.Repeat("a.", 6<<10), http.StatusUnauthorized},
		"segments as many as fit":            {strings.Repeat("a.", 4<<10), http.StatusUnauthorized},
		"long segments":                      {strings.Repeat("e", 6<<10) + "." + strings.Repeat("e", 6<<10) + ".e", http.StatusUnauthorized},
		"a genuine token and dots behind it": {f.text + strings.Repeat(".", 7<<10), http.StatusUnauthorized},
	} {
		w.run(name, func(t *testing.T) {
			began := time.Now()
			a := w.get("/x", bearerOf(c.text))
			if a.seen != nil || a.status != c.status {
				t.Errorf("want %d: %v", c.status, a)
			}
			if took := time.Since(began); took > quick {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestJ14DatesThatAreMissingOrOfAnotherKind(t *testing.T) {
	everyUse(t, func(f *forger) {
		now := time.Now().Unix()
		form, other := "%d", `"%d"`
		if strings.Contains(f.payload, `"exp":"`) {
			form, other = other, form
		}
		date := func(at int64) string { return fmt.Sprintf(form, at) }
		f.passed(f.get("/x", bearerOf(f.planted(f.with("exp", date(now+60)))))) // else the rows prove nothing
		for _, value := range []string{
			"", "null", "-1", "0", "1e308", "1e400", "9007199254740993", "9223372036854775808", "true", "[]", `""`, `"never"`, `"-1"`, `"1e9"`,
			"9999999999.5", `"9999999999.5"`, `" 9999999999"`, date(now - 1), date(now - 61),
			fmt.Sprintf(other, now+60),
		} {
			f.nobody("exp "+value, f.planted(f.with("exp", value)))
		}
		for _, member := range []string{"iat", "nbf"} {
			f.nobody(member+" in the future", f.planted(f.with(member, date(now+90))))
			f.nobody(member+" of another kind", f.planted(f.with(member, "true")))
		}
	})
}

func TestJ15AnotherIssuerOrAudience(t *testing.T) {
	everyUse(t, func(f *forger) {
		// Which issuer and audience an access token names is for others to
		// judge: here its realm counts, and the session behind the very text.
		members, values := []string{"iss", "aud"}, []string{
			`""`, `[]`, `["gatehouse:default"]`, `7`, `{}`, `true`, `"other"`, `"gatehouse:default/"`, `"GATEHOUSE:default"`, `"gatehouse:other"`,
		}
		if strings.Contains(f.payload, "gatehouse_realm") {
			values = values[:6]
			for _, realm := range []string{"", "null", `"other"`, `["default"]`, `"Default"`, `"default/"`} {
				f.nobody("realm "+realm, f.planted(f.with("gatehouse_realm", realm)))
			}
		}
		for _, member := range members {
			for _, value := range values {
				f.nobody(member+" "+value, f.planted(f.with(member, value)))
			}
		}
		f.nobody("no iss", f.planted(f.with("iss", "")))
		f.nobody("iss null", f.planted(f.with("iss", "null")))
	})
}

func TestJ16ATokenOfAnotherKind(t *testing.T) {
	everyUse(t, func(f *forger) {
		for _, typ := range []string{
			"JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "JWE", "id+jwt", "refresh", "gatehouse-assertion+jwt", "",
		} {
			head := f.head[:strings.Index(f.head, `"typ":`)] + `"typ":"` + typ + `"}`
			if head != f.head {
				f.nobody("typ "+typ, f.underOwnKey(head))
			}
		}
	})
	w := start(t, joseBlock+"\n\t\tidentity {\n\t\t\tassertion X-Proof {\n\t\t\t\taudience orders\n\t\t\t}\n\t\t}")
	_, key := w.ann()
	jose := &joseWorld{whole: w}
	login := w.login(annName, annPassword)
	proof := w.passed(w.get("/x", bearerOf(login))).Header.Get("X-Proof")
	if strings.Count(proof, ".") != 2 {
		t.Fatalf("the assertion is %q", proof)
	}
	jose.nobody("an assertion", proof)
	got := w.post("/oauth2/token", "grant_type=client_credentials&client_id=1&client_secret="+key, "Content-Type: application/x-www-form-urlencoded")
	w.passed(w.get("/x", bearerOf(memberOf(t, got.body, "access_token"))))
	jose.nobody("a refresh token", memberOf(t, got.body, "refresh_token"))
}

// respellings are other texts that a lax decoder reads as the same token.
func respellings(t *testing.T, text string) (all []string) {
	t.Helper()
	s := strings.Split(text, ".")
	for i := range s {
		for _, add := range []string{"=", "==", "A", "%3D", "%20", "+"} {
			spelt := []string{s[0], s[1], s[2]}
			spelt[i] = s[i] + add
			all = append(all, strings.Join(spelt, "."))
			spelt[i] = s[i][:3] + add + s[i][3:]
			all = append(all, strings.Join(spelt, "."))
		}
		plain, err := base64.RawURLEncoding.DecodeString(s[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, enc := range []*base64.Encoding{base64.URLEncoding, base64.StdEncoding, base64.RawStdEncoding} {
			spelt := []string{s[0], s[1], s[2]}
			spelt[i] = enc.EncodeToString(plain)
			all = append(all, strings.Join(spelt, "."))
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range alphabet { // bits of the last character that mean nothing
		all = append(all, text[:len(text)-1]+alphabet[i:i+1])
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(plainSegment(t, text, 0)), &members); err != nil {
		t.Fatal(err)
	}
	ordered, err := json.MarshalIndent(members, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for _, head := range []string{string(ordered), plainSegment(t, text, 0) + "\n", strings.ToUpper(plainSegment(t, text, 0))} {
		all = append(all, b64url(head)+"."+s[1]+"."+s[2])
	}
	return append(all, strings.ToUpper(text), strings.ToLower(text), "Bearer%20"+text)
}

func TestJ17ARespeltTokenIsAnother(t *testing.T) {
	everyUse(t, func(f *forger) {
		for _, text := range respellings(t, f.text) {
			if text == f.text {
				continue
			}
			f.nobody("spelt "+text, text)
		}
		f.passed(f.get("/x", bearerOf(f.text)))
	})
}

func TestJ18ARevokedTokenStaysSoHoweverItIsSpelt(t *testing.T) {
	everyUse(t, func(f *forger) {
		if _, err := f.admin(gateway.DefaultRealm).RevokeToken(t.Context(), f.row.ID); err != nil {
			t.Fatal(err)
		}
		f.nobody("it", f.text)
		for _, text := range respellings(t, f.text) {
			f.nobody("spelt "+text, text)
		}
		a := f.get("/x", "authorization: bEARER "+f.text)
		f.refused(a, http.StatusUnauthorized)
	})
}

func TestJ19SignaturesOfZeroAndTheirMirrorImages(t *testing.T) {
	w := startJose(t)
	f := w.forger("access-token ES256", claimsFor["access-token ES256"])
	w.passed(w.get("/x", bearerOf(f.text)))
	s := strings.Split(f.text, ".")
	_, mirrored := oddSignatures(t, []byte(plainSegment(t, f.text, 2)))
	for name := range oddKinds(t) {
		id := token.NewID()
		signed := joseSign(t, f.method, f.key, f.head, strings.ReplaceAll(f.payload, f.row.ID, id))
		bad, _ := oddSignatures(t, []byte(plainSegment(t, signed, 2)))
		text := signed[:strings.LastIndex(signed, ".")+1] + b64url(string(bad[name]))
		f.behind(id, text)
		w.nobody(name, text)
	}
	other := s[0] + "." + s[1] + "." + b64url(string(mirrored))
	if err := f.method.Verify(s[0]+"."+s[1], mirrored, f.key.(*ecdsa.PrivateKey).Public()); err != nil {
		t.Fatalf("the mirrored signature proves nothing: %v", err)
	}
	w.nobody("the mirrored signature, which is not the text that was issued", other)
	if _, err := w.admin(gateway.DefaultRealm).RevokeToken(t.Context(), f.row.ID); err != nil {
		t.Fatal(err)
	}
	w.nobody("the token, revoked", f.text)
	w.nobody("the mirrored signature of a revoked token", other)
}

// oddKinds names what oddSignatures makes.
func oddKinds(t *testing.T) map[string][]byte {
	t.Helper()
	bad, _ := oddSignatures(t, bytes.Repeat([]byte{1}, 64))
	return bad
}

// oddSignatures are signatures of ES256 that are none, made of a genuine one,
// and its mirror image (s and n-s verify alike).
func oddSignatures(t *testing.T, raw []byte) (bad map[string][]byte, mirrored []byte) {
	t.Helper()
	r, s := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	join := func(r, s *big.Int) []byte {
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	bad = map[string][]byte{
		"r and s zero": make([]byte, 64), "r zero": join(new(big.Int), s), "s zero": join(r, new(big.Int)), "r and s the order": join(n, n),
		"DER": der, "a byte short": raw[:63], "a byte long": append(append([]byte{}, raw...), 0), "a zero before each": append(append([]byte{0}, raw[:32]...), append([]byte{0}, raw[32:]...)...),
	}
	return bad, join(r, new(big.Int).Sub(n, s))
}
