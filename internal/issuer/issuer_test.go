package issuer

import (
	"strings"
	"testing"
)

func TestWhatCanBeTrusted(t *testing.T) {
	for name, c := range map[string]Config{
		"https":                       config("https://login.example.com"),
		"a path and a port":           config("https://login.example.com:8443/realms/one/"),
		"http on this machine":        config("http://localhost:8080/realms/one"),
		"http on 127.0.0.1":           config("http://127.0.0.1"),
		"http on ::1":                 config("http://[::1]:80"),
		"a key set of this machine":   {URL: alpha, Audiences: []string{"a"}, JWKS: "http://localhost/keys"},
		"a key set with a query":      {URL: alpha, Audiences: []string{"a"}, JWKS: "https://keys.example/?tenant=1"},
		"algorithms":                  {URL: alpha, Audiences: []string{"a", "b"}, Algorithms: []string{"PS512", "ES384"}},
		"an audience with a space":    {URL: alpha, Audiences: []string{"my API"}},
		"claims of every name":        {URL: alpha, Audiences: []string{"a"}, Claims: map[string]string{"subject": "{claim.oid}", "username": "{claim.upn}", "tenant": "{claim.tid}", "unit": "{claim.u}", "roles": "{claim.a.b}", "scopes": "{claim.scp}"}},
		"a claim whose name is a URL": {URL: alpha, Audiences: []string{"a"}, Claims: map[string]string{"roles": "{claim.https://example.com/roles}"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(c); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatCannotBeTrusted(t *testing.T) {
	for name, c := range map[string]Config{
		"no URL":                   config(""),
		"no host":                  config("https://"),
		"a path alone":             config("/realms/one"),
		"a name alone":             config("login.example.com"),
		"http":                     config("http://login.example.com"),
		"http that looks local":    config("http://localhost.example.com"),
		"http of the network":      config("http://10.0.0.1"),
		"another scheme":           config("ftp://login.example.com"),
		"a query":                  config("https://login.example.com/?a=b"),
		"an empty query":           config("https://login.example.com/?"),
		"a fragment":               config("https://login.example.com/#a"),
		"a user":                   config("https://a:b@login.example.com/"),
		"a bar":                    config("https://login.example.com/a|b"),
		"a placeholder":            config("https://{env.HOST}/"),
		"a space":                  config("https://login.example.com/ a"),
		"a letter beyond ASCII":    config("https://login.example.com/é"),
		"too long":                 config("https://login.example.com/" + strings.Repeat("a", maxAddress)),
		"no audience":              {URL: alpha},
		"an empty audience":        {URL: alpha, Audiences: []string{""}},
		"an audience twice":        {URL: alpha, Audiences: []string{"a", "a"}},
		"an audience to replace":   {URL: alpha, Audiences: []string{"{http.request.host}"}},
		"too many audiences":       {URL: alpha, Audiences: strings.Split(strings.Repeat("a,", maxListed), ",")},
		"a file of keys":           {URL: alpha, Audiences: []string{"a"}, JWKS: "file:///keys"},
		"a key set without TLS":    {URL: alpha, Audiences: []string{"a"}, JWKS: "http://alpha.example/keys"},
		"HS256":                    {URL: alpha, Audiences: []string{"a"}, Algorithms: []string{"HS256"}},
		"none":                     {URL: alpha, Audiences: []string{"a"}, Algorithms: []string{"none"}},
		"an algorithm twice":       {URL: alpha, Audiences: []string{"a"}, Algorithms: []string{"RS256", "RS256"}},
		"a type twice":             {URL: alpha, Audiences: []string{"a"}, Types: []string{"JWT", "jwt"}},
		"a type twice in disguise": {URL: alpha, Audiences: []string{"a"}, Types: []string{"at+jwt", "application/at+jwt"}},
		"an unknown name":          {URL: alpha, Audiences: []string{"a"}, Claims: map[string]string{"role": "{claim.a}"}},
		"a claim without braces":   {URL: alpha, Audiences: []string{"a"}, Claims: map[string]string{"roles": "claim.a"}},
		"a claim without name":     {URL: alpha, Audiences: []string{"a"}, Claims: map[string]string{"roles": "{claim.}"}},
		"two claims at once":       {URL: alpha, Audiences: []string{"a"}, Claims: map[string]string{"roles": "{claim.a}{claim.b}"}},
		"a placeholder of others":  {URL: alpha, Audiences: []string{"a"}, Claims: map[string]string{"roles": "{http.request.host}"}},
		"a path without end":       {URL: alpha, Audiences: []string{"a"}, Claims: map[string]string{"roles": "{claim." + strings.Repeat("a.", maxPath) + "}"}},
	} {
		t.Run(name, func(t *testing.T) {
			if i, err := New(c); err == nil {
				t.Errorf("taken: %v", i)
			}
		})
	}
}

func TestOneIssuerStandsOnce(t *testing.T) {
	if _, err := NewTrust([]Config{config(alpha), config(beta), config(alpha)}); err == nil {
		t.Error("taken")
	}
	if trust, err := NewTrust(nil); trust != nil || err != nil {
		t.Errorf("got %v, %v", trust, err)
	}
}

func TestWhatIsTrustedOtherwiseHasAnotherID(t *testing.T) {
	seen := map[[32]byte]int{}
	base := config(alpha)
	variants := []Config{base, base, base, base, base, config(beta)}
	variants[1].Audiences = []string{"other"}
	variants[2].Algorithms = []string{"ES256"}
	variants[3].JWKS = alpha + "/keys"
	variants[4].Claims = map[string]string{"roles": "{claim.roles}"}
	for i, c := range variants {
		trust, err := NewTrust([]Config{c})
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[trust.ID()]; ok {
			t.Errorf("%d and %d have one id", i, other)
		}
		seen[trust.ID()] = i
	}
}
