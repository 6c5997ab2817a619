package token

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// corpus opens a file of third-party vectors; the folder is not part of the
// repository.
func corpus(t *testing.T, path ...string) *os.File {
	t.Helper()
	root := os.Getenv("GATEHOUSE_CORPORA")
	if root == "" {
		t.Skip("GATEHOUSE_CORPORA is not set")
	}
	f, err := os.Open(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

type vectors struct {
	Groups []struct {
		Private, Public jwk
		PublicKey       struct {
			Pk           string `json:"pk"`
			Uncompressed string `json:"uncompressed"`
		} `json:"publicKey"`
		Tests []struct {
			ID      int `json:"tcId"`
			Comment string
			// JWS is a string or, serialised as JSON, an object.
			JWS, JWE, JWT json.RawMessage
			Msg, Sig      string
			Result        string
		}
	} `json:"testGroups"`
}

type jwk struct{ Alg, Kty, Crv, K, N, E, X, Y string }

func wycheproof(t *testing.T, name string) (v vectors) {
	t.Helper()
	if err := json.NewDecoder(corpus(t, "wycheproof", name)).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func number(text string) *big.Int {
	b, _ := base64.RawURLEncoding.DecodeString(text)
	return new(big.Int).SetBytes(b)
}

// pinned is the key of a group as a signing key of ours, nil where its
// algorithm is none of ours.
func pinned(private, public jwk) *signingKey {
	if private.K != "" {
		public = private
	}
	k := &signingKey{algorithm: algorithms[public.Alg], header: "none"}
	switch public.Alg {
	case "HS256":
		secret, _ := base64.RawURLEncoding.DecodeString(public.K)
		k.pair.verify = secret
	case "ES256":
		k.pair.verify = &ecdsa.PublicKey{Curve: elliptic.P256(), X: number(public.X), Y: number(public.Y)}
	case "RS256":
		k.pair.verify = &rsa.PublicKey{N: number(public.N), E: int(number(public.E).Int64())}
	default:
		return nil
	}
	return k
}

// text returns a vector as it would stand in a request.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// No vector, valid or not, is a token of ours: they are signed with keys that
// the world knows.
func TestWycheproofNothingIsAccepted(t *testing.T) {
	b := newBench(t)
	b.sign(t, "default", claims())
	seen := 0
	for _, name := range []string{"json_web_signature_test.json", "json_web_encryption_test.json", "json_web_crypto_test.json"} {
		for _, g := range wycheproof(t, name).Groups {
			for _, v := range g.Tests {
				for _, raw := range []json.RawMessage{v.JWS, v.JWE, v.JWT} {
					if raw == nil {
						continue
					}
					seen++
					_, err := b.Verify(t.Context(), "default", text(raw))
					if err == nil || auth.CodeOf(err) != auth.InvalidCredential || b.Ours(text(raw)) {
						t.Errorf("%s %d (%s): %v", name, v.ID, v.Comment, err)
					}
				}
			}
		}
	}
	if seen < 475 {
		t.Errorf("only %d vectors", seen)
	}
}

// With the group's key as one of ours, the segments and signatures that we
// take are those that the vectors call valid. What an invalid vector still
// has right in them is wrong in its header, which is compared as a whole.
func TestWycheproofSignatures(t *testing.T) {
	accepted, refused := 0, 0
	texts := map[string]bool{} // some invalid vectors repeat a valid one to the byte
	for _, g := range wycheproof(t, "json_web_signature_test.json").Groups {
		k := pinned(g.Private, g.Public)
		if k == nil {
			continue
		}
		own := ""
		for _, v := range g.Tests {
			head, payload, signature, ok := split(text(v.JWS))
			ok = ok && signs(k, head, payload, signature)
			switch {
			case v.Result == "valid" && ok:
				accepted++
				own, texts[text(v.JWS)] = head, true
			case v.Result == "valid" && (payload == "" || strings.Contains(text(v.JWS), "?")):
				refused++ // a JWS may be empty, a JWT may not; nor do we skip characters
			case v.Result == "valid":
				t.Errorf("%d (%s) is refused", v.ID, v.Comment)
			case ok && head == own && !texts[text(v.JWS)]:
				t.Errorf("%d (%s) is accepted", v.ID, v.Comment)
			default:
				refused++
			}
		}
	}
	t.Logf("accepted %d, refused %d", accepted, refused)
	if accepted < 10 || refused < 100 {
		t.Errorf("accepted %d, refused %d: the vectors were not read", accepted, refused)
	}
}

func signs(k *signingKey, head, payload, signature string) bool {
	sum, err := strict.DecodeString(signature)
	if err != nil {
		return false
	}
	if _, err := strict.DecodeString(payload); err != nil {
		return false
	}
	return k.verify(head+"."+payload, sum) == nil
}

func TestWycheproofECDSAAndEd25519(t *testing.T) {
	for _, c := range []struct {
		file, alg string
		key       func(pk, uncompressed []byte) any
	}{
		{"ecdsa_secp256r1_sha256_p1363_test.json", "ES256", func(_, u []byte) any {
			return &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(u[1:33]), Y: new(big.Int).SetBytes(u[33:])}
		}},
		{"ed25519_test.json", "EdDSA", func(pk, _ []byte) any { return ed25519.PublicKey(pk) }},
	} {
		t.Run(c.alg, func(t *testing.T) {
			seen := map[bool]int{}
			for _, g := range wycheproof(t, c.file).Groups {
				pk, _ := hex.DecodeString(g.PublicKey.Pk)
				uncompressed, _ := hex.DecodeString(g.PublicKey.Uncompressed)
				k := &signingKey{algorithm: algorithms[c.alg]}
				k.pair.verify = c.key(pk, uncompressed)
				for _, v := range g.Tests {
					message, _ := hex.DecodeString(v.Msg)
					signature, _ := hex.DecodeString(v.Sig)
					ok := k.verify(string(message), signature) == nil
					if ok != (v.Result == "valid") {
						t.Errorf("%d (%s): %v, want %s", v.ID, v.Comment, ok, v.Result)
					}
					seen[ok]++
				}
			}
			if seen[true] < 10 || seen[false] < 10 {
				t.Errorf("accepted %d, refused %d", seen[true], seen[false])
			}
		})
	}
}

// J22: nobody's favourite secret signs a token of ours or is a key of a ring.
func TestJ22KnownSecrets(t *testing.T) {
	b := newBench(t)
	b.sign(t, "default", claims())
	head, body := header("HS256", b.kid(), typeJWT), payload(t, nil)
	lines := bufio.NewScanner(corpus(t, "jwt-secrets", "jwt.secrets.list"))
	n := 0
	for lines.Scan() {
		n++
		if _, err := b.Verify(t.Context(), "default", forge(head, body, lines.Bytes())); err == nil {
			t.Errorf("line %d signs", n)
		}
		ring := RingFile{"keys", append([]byte(ringHeader+"\n"), lines.Bytes()...)}
		if _, err := ParseRing(ring); err == nil {
			t.Errorf("line %d is a key of a ring", n)
		} else if s := lines.Text(); len(s) > 24 && strings.Contains(err.Error(), s) {
			t.Errorf("line %d is quoted", n)
		}
	}
	if lines.Err() != nil || n < 100000 {
		t.Errorf("%d secrets, %v", n, lines.Err())
	}
}
