package authn

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

func TestNoTwoCredentialsShareACacheKey(t *testing.T) {
	all := []struct {
		realm string
		c     bearer.Credential
	}{
		{"a", bearer.Credential{Kind: auth.Bearer, Token: "b"}},
		{"ab", bearer.Credential{Kind: auth.Bearer, Token: ""}},
		{"", bearer.Credential{Kind: auth.Bearer, Token: "ab"}},
		{"a", bearer.Credential{Kind: auth.Query, Token: "b"}},
		{"a", bearer.Credential{Kind: auth.Body, Token: "b"}},
		{"a", bearer.Credential{Kind: auth.Bearer, Token: "b", Key: "b"}},
		{"a", bearer.Credential{Kind: auth.Bearer, Key: "b"}},
		{"a", bearer.Credential{Kind: auth.APIKey, Key: "b"}},
		{"a", bearer.Credential{Kind: auth.Basic, Key: "b"}},
		{"a", bearer.Credential{Kind: auth.KeyUserToken, Token: "x", Key: "y", User: "z"}},
		{"a", bearer.Credential{Kind: auth.KeyUserToken, Token: "xy", Key: "", User: "z"}},
		{"a", bearer.Credential{Kind: auth.KeyUserToken, Token: "x", Key: "yz", User: ""}},
		{"a", bearer.Credential{Kind: auth.KeyUserToken, Token: "", Key: "y", Entity: "xz"}},
		{"a", bearer.Credential{Kind: auth.KeyUserToken, Token: "x", Key: "y", Entity: "z"}},
	}
	seen := map[cacheKey]int{}
	for i, one := range all {
		k := keyOf(one.realm, one.c)
		if j, ok := seen[k]; ok {
			t.Errorf("credentials %d and %d share a key", i, j)
		}
		seen[k] = i
	}
}

func FuzzCacheKeysTellCredentialsApart(f *testing.F) {
	f.Add("a", "b", "c", "d", "ab", "", "c", "d")
	f.Fuzz(func(t *testing.T, r1, t1, k1, u1, r2, t2, k2, u2 string) {
		a := bearer.Credential{Kind: auth.KeyUserToken, Token: t1, Key: k1, User: u1}
		b := bearer.Credential{Kind: auth.KeyUserToken, Token: t2, Key: k2, User: u2}
		same := r1 == r2 && a == b
		if (keyOf(r1, a) == keyOf(r2, b)) != same {
			t.Errorf("keys of %q %+v and %q %+v", r1, a, r2, b)
		}
	})
}
