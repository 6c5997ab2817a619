package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// published returns the members of the set, by kid.
func (b *bench) published(t testing.TB) map[string]map[string]string {
	t.Helper()
	text, err := b.JWKS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		t.Fatalf("%s: %v", text, err)
	}
	byID := map[string]map[string]string{}
	for _, k := range set.Keys {
		byID[k["kid"]] = k
	}
	if len(byID) != len(set.Keys) {
		t.Fatalf("two keys of one kid in %s", text)
	}
	return byID
}

// publicOf reads a key of a set as any client would.
func publicOf(t testing.TB, k map[string]string) any {
	t.Helper()
	bytesOf := func(member string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(k[member])
		if err != nil || len(b) == 0 {
			t.Fatalf("%s of %v: %v", member, k, err)
		}
		return b
	}
	switch k["kty"] + " " + k["crv"] {
	case "OKP Ed25519":
		return ed25519.PublicKey(bytesOf("x"))
	case "EC P-256":
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, bytesOf("x")...), bytesOf("y")...))
		if err != nil {
			t.Fatal(err)
		}
		return key
	case "RSA ":
		e := new(big.Int).SetBytes(bytesOf("e"))
		return &rsa.PublicKey{N: new(big.Int).SetBytes(bytesOf("n")), E: int(e.Int64())}
	}
	t.Fatalf("a key of kty %q and crv %q", k["kty"], k["crv"])
	return nil
}

func TestAPublishedKeyVerifiesWhatItsOtherHalfSigned(t *testing.T) {
	for _, name := range AccessAlgorithms {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, row(t, name, useAccess+name))
			text := b.sign(t, "default", accessClaims(Access{Algorithm: name, Issuer: "https://i.example"}))
			k := b.published(t)[b.kid()]
			if k["use"] != "sig" || k["alg"] != name {
				t.Fatalf("published is %v", k)
			}
			parser := jwt.NewParser(jwt.WithValidMethods([]string{name}), jwt.WithTimeFunc(func() time.Time { return start }), jwt.WithIssuer("https://i.example"))
			if _, err := parser.Parse(text, func(*jwt.Token) (any, error) { return publicOf(t, k), nil }); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAllKeysThatVerifyArePublishedAndNoSecretIs(t *testing.T) {
	secret := row(t, "HS256", UseToken)
	retired := row(t, "EdDSA", UseToken)
	retired.Retired, retired.Expires = start, start.Add(time.Hour)
	over := row(t, "EdDSA", UseToken)
	over.Retired, over.Expires = start.Add(-time.Hour), start
	assertion := row(t, "EdDSA", "assertion")
	broken := row(t, "EdDSA", UseToken)
	broken.Sealed = broken.Sealed[1:]
	other := row(t, "RS256", UseTextDates)
	b := newBench(t, secret, retired, over, assertion, broken, other)
	text, err := b.Publish(t.Context(), Published{Assertions: true})
	if err != nil || !strings.Contains(string(text), assertion.ID) || strings.Count(string(text), "kid") != 1 {
		t.Errorf("for assertions: %s, %v", text, err)
	}
	if text, err = b.Publish(t.Context(), Published{}); err != nil || string(text) != `{"keys":[]}` {
		t.Errorf("for nobody: %s, %v", text, err)
	}
	got := b.published(t)
	if len(got) != 2 || got[retired.ID] == nil || got[other.ID] == nil {
		t.Errorf("published are %v", got)
	}
	for id, k := range got {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, there := k[private]; there {
				t.Errorf("%s: %q is published", id, private)
			}
		}
	}
	b.clock = start.Add(time.Hour)
	if b.published(t)[retired.ID] != nil {
		t.Error("a key is published after its time")
	}
}

func TestASetWithoutKeysIsAnEmptyList(t *testing.T) {
	b := newBench(t, row(t, "HS256", UseToken))
	text, err := b.JWKS(t.Context())
	if err != nil || string(text) != `{"keys":[]}` {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAKeyIsMadeOnceBeforeTheFirstToken(t *testing.T) {
	b := newBench(t)
	for range 2 {
		if err := b.Prepare(t.Context(), Access{}); err != nil {
			t.Fatal(err)
		}
	}
	k := b.published(t)[b.kid()]
	if len(b.store.rows) != 1 || k["alg"] != "EdDSA" {
		t.Fatalf("%d keys, published is %v", len(b.store.rows), k)
	}
	if text := b.sign(t, "default", accessClaims(Access{})); segmentOf(t, text, 0)["kid"] != b.kid() {
		t.Error("another key signs")
	}
}

func TestKeysOfAStoreOutOfReachAreNotAnEmptySet(t *testing.T) {
	b := newBench(t)
	b.store.fail = down
	for _, ask := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := b.JWKS(ctx); return err },
		func(ctx context.Context) error { return b.Prepare(ctx, Access{}) },
	} {
		if err := ask(t.Context()); auth.CodeOf(err) != auth.Unavailable {
			t.Errorf("got %v", err)
		}
	}
}

// FuzzKeyIDOf: a header is one that [header] writes, or none.
func FuzzKeyIDOf(f *testing.F) {
	id := strings.Repeat("0", keyIDLen)
	f.Add(header("EdDSA", id, typeAccess))
	f.Add(header("HS256", id, typeJWT))
	f.Add(header("HS256", id, "jwt"))
	f.Fuzz(func(t *testing.T, encoded string) {
		id := keyIDOf(encoded)
		if id == "" {
			return
		}
		for name := range algorithms {
			if encoded == header(name, id, typeJWT) || encoded == header(name, id, typeAccess) {
				return
			}
		}
		t.Errorf("%q has the kid %q", encoded, id)
	})
}
