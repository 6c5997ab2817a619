package dialect

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func TestHideTokens(t *testing.T) {
	const hex = "0123456789abcdef0123456789abcdef"
	const id = "11111111-1111-4111-8111-111111111111"
	for name, c := range map[string]struct{ in, want string }{
		"a token goes":                      {"/login/" + hex, "/login/REDACTED"},
		"what follows it stays":             {"/login/" + hex + "?a=1#b", "/login/REDACTED?a=1#b"},
		"a JWT goes":                        {"/authentication/eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln/", "/authentication/REDACTED/"},
		"a token that is encoded goes":      {"/login/%30" + hex[1:], "/login/REDACTED"},
		"one of broken encoding goes":       {"/login/%zz" + hex, "/login/REDACTED"},
		"one in a whole URL goes":           {`Get "https://a/login/` + hex + `": EOF`, `Get "https://a/login/REDACTED": EOF`},
		"every one goes":                    {"/login/" + hex + " /login/" + hex, "/login/REDACTED /login/REDACTED"},
		"a token of another kind goes":      {"/login/ght_0123456789abcdefABCDEF", "/login/REDACTED"},
		"a path in another case counts":     {"/x/Login/" + hex, "/x/Login/REDACTED"},
		"a UUID stays":                      {"/login/" + id + "?a=1", "/login/" + id + "?a=1"},
		"a token as long as a UUID goes":    {"/login/" + hex + "0000", "/login/REDACTED"},
		"what is short stays":               {"/login/callback", "/login/callback"},
		"what is elsewhere stays":           {"/assets/" + hex, "/assets/" + hex},
		"a path that begins alike stays":    {"/loginx/" + hex, "/loginx/" + hex},
		"a path behind another prefix goes": {"//login/" + hex, "//login/REDACTED"},
		"nothing stays nothing":             {"", ""},
		"the path itself stays":             {"/login/", "/login/"},
	} {
		got := strings.ReplaceAll(HideTokens(c.in, "/login", "/authentication"), auth.Redacted, "REDACTED")
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { HideTokens("/v1/things/42", "/login") }); n > 1 { // the prefix
		t.Errorf("%v allocations where there is nothing to hide", n)
	}
}
