package issuer

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// FuzzVerify: of all texts a token is taken only if its first two segments are
// those that were signed, and a refusal is the caller's fault and comes with
// nobody.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	// The key is fixed, so that a text means the same in every process.
	s := signer{"k1", "EdDSA", ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))}
	w.publish(alpha, s.jwk(f))
	genuine := s.sign(f, s.header(), claims(alpha, nil))
	w.accepted(f, genuine)
	p := strings.Split(genuine, ".")
	for _, text := range []string{
		genuine, genuine + "=", genuine[:len(genuine)-1], "..", p[0] + "." + p[1] + ".AAAA", p[0] + ".bnVsbA." + p[2], "e30." + p[1] + "." + p[2],
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, k, err := w.verify(text)
		if (err == nil) != (text == genuine) {
			t.Fatalf("verify = %v", err)
		}
		if err != nil && (p.Subject != "" || k != nil || !errors.Is(err, errNotRead) && auth.CodeOf(err) != auth.InvalidCredential) {
			t.Fatalf("refused as %v with %v", err, p)
		}
	})
}

// FuzzClaims goes past the signature: claims that are taken give a caller of
// this issuer, with names that rules can name.
func FuzzClaims(f *testing.F) {
	c := config(alpha)
	c.Claims = map[string]string{"roles": "{claim.realm_access.roles}", "tenant": "{claim.org}", "username": "{claim.a.b.c}"}
	i, err := New(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(jsonOf(f, claims(alpha, nil)))
	f.Add(jsonOf(f, claims(alpha, map[string]any{
		"realm_access": map[string]any{"roles": []string{"a", "b c"}}, "org": "acme", "scope": "a b", "a.b": map[string]any{"c": "é"},
	})))
	f.Add([]byte(`{"iss":"` + alpha + `","aud":["` + audience + `"],"exp":9e9,"sub":"\u0000"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := decode(text)
		if err != nil {
			return
		}
		if _, err := i.accept(members, start); err != nil {
			return
		}
		p, err := i.principal(members)
		if err != nil {
			if p.Subject != "" {
				t.Fatal("a caller and an error")
			}
			return
		}
		if sub, ok := strings.CutPrefix(p.Subject, alpha+"|"); !ok || !isPlain(sub) || !isPlain(p.TokenID+"x") || len(p.Roles) > auth.MaxNames || len(p.Scopes) > auth.MaxNames {
			t.Fatalf("taken: %+v", p)
		}
		for _, name := range append(append([]string{}, p.Roles...), p.Scopes...) {
			if !auth.ValidName(name) {
				t.Fatalf("the name %q", name)
			}
		}
	})
}

// FuzzSet: a key of a set is public, strong and for verifying, and no two of
// them share a name.
func FuzzSet(f *testing.F) {
	s := signer{"k1", "EdDSA", ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))}
	f.Add(jsonOf(f, map[string]any{"keys": []any{s.jwk(f), s.jwk(f)}}))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},null,7]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := newSet(text, start)
		if (err == nil) != (read != nil) {
			t.Fatal("a set and an error")
		}
		if err != nil {
			return
		}
		names := map[string]bool{}
		for _, k := range read.keys {
			if names[k.id] && k.id != "" || len(k.algorithms) == 0 || algorithmsOf(k.public) == nil {
				t.Fatalf("taken: %+v", k)
			}
			names[k.id] = true
			if !k.same(k) {
				t.Fatal("a key is not itself")
			}
		}
	})
}
