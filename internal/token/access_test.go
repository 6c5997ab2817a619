package token

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func accessClaims(a Access) Claims {
	c := claims()
	c.Access = &a
	return c
}

// segmentOf decodes the n-th part of a JWT.
func segmentOf(t testing.TB, text string, n int) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

func TestAnAccessTokenIsOneOfRFC9068(t *testing.T) {
	for _, name := range AccessAlgorithms {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, row(t, name, useAccess+name))
			text := b.sign(t, "default", accessClaims(Access{
				Algorithm: name, Issuer: "https://api.example.com/oauth2", Audience: "https://api.example.com",
			}))
			if head := segmentOf(t, text, 0); head["typ"] != "at+jwt" || head["alg"] != name || head["kid"] != b.kid() {
				t.Errorf("header %v", head)
			}
			said := segmentOf(t, text, 1)
			if said["iss"] != "https://api.example.com/oauth2" || said["aud"] != "https://api.example.com" || said["jti"] == nil {
				t.Errorf("claims %v", said)
			}
			if !b.Ours(text) {
				t.Error("it is not known as ours")
			}
			c := b.accepted(t, text)
			if c.Access == nil || c.Access.Issuer != said["iss"] || c.ID != said["jti"] || len(c.Extra) != len(claims().Extra) {
				t.Errorf("verified is %+v", c)
			}
		})
	}
}

func TestWithoutAnIssuerAnAccessTokenNamesTheRealm(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "default", accessClaims(Access{}))
	if said := segmentOf(t, text, 1); said["iss"] != "gatehouse:default" || said["aud"] != "gatehouse:default" {
		t.Errorf("claims %v", said)
	}
	if head := segmentOf(t, text, 0); head["alg"] != AccessAlgorithm {
		t.Errorf("header %v", head)
	}
	b.accepted(t, text)
}

// TestAnAccessTokenOfAnotherRealmIsForeign although both realms may name one
// issuer.
func TestAnAccessTokenOfAnotherRealmIsForeign(t *testing.T) {
	b := newBench(t)
	text := b.sign(t, "elsewhere", accessClaims(Access{Issuer: "https://api.example.com"}))
	b.refused(t, text, auth.ReasonUnknown)
	if _, err := b.Verify(t.Context(), "elsewhere", text); err != nil {
		t.Error(err)
	}
}

// TestJ16KindsOfTokenAreNotConfused: each has keys and a type of its own.
func TestJ16KindsOfTokenAreNotConfused(t *testing.T) {
	b := newBench(t)
	access := b.sign(t, "default", accessClaims(Access{}))
	usual := b.sign(t, "default", claims())
	id := func(text string) string { return segmentOf(t, text, 0)["kid"].(string) }
	if id(access) == id(usual) {
		t.Fatal("one key signs both")
	}
	k := b.set.Load().active[Access{}.use()]
	forged := func(typ string, members map[string]any) string {
		signed := header("EdDSA", k.id, typ) + "." + b64(jsonOf(t, members))
		sum, err := jwt.SigningMethodEdDSA.Sign(signed, k.pair.sign)
		if err != nil {
			t.Fatal(err)
		}
		return signed + "." + base64.RawURLEncoding.EncodeToString(sum)
	}
	if got := forged(typeAccess, segmentOf(t, access, 1)); b.accepted(t, got).Access == nil {
		t.Fatal("the forger of this test does not write what a signer writes")
	}
	b.refused(t, forged(typeJWT, segmentOf(t, access, 1)), auth.ReasonSignature)
	b.refused(t, forged(typeJWT, segmentOf(t, usual, 1)), auth.ReasonSignature)
	b.refused(t, forged(typeAccess, segmentOf(t, usual, 1)), auth.ReasonForm)
	for _, name := range []string{"iss", "aud", claimRealm} {
		for what, value := range map[string]any{"missing": nil, "empty": "", "a number": 1.0, "a list": []any{"default"}} {
			members := segmentOf(t, access, 1)
			members[name] = value
			if name == claimRealm && what == "empty" {
				b.refused(t, forged(typeAccess, members), auth.ReasonUnknown)
				continue
			}
			b.refused(t, forged(typeAccess, members), auth.ReasonForm)
		}
	}
}

func TestADialectDoesNotNameTheRealmItself(t *testing.T) {
	b := newBench(t)
	c := accessClaims(Access{})
	c.Extra = map[string]any{claimRealm: "elsewhere"}
	if _, err := b.Sign(t.Context(), "default", c); err == nil {
		t.Error("it was signed")
	}
}
