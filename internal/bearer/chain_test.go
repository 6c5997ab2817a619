package bearer_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

// kinds writes what was presented as one line, "malformed: form" for an error.
func kinds(p bearer.Presented, err error) string {
	if err != nil {
		return err.Error()
	}
	var list []string
	for i := range p.Len() {
		c := p.At(i)
		list = append(list, fmt.Sprintf("%s=%s", string(c.Kind), c.Key+c.Token+c.Entity))
	}
	return strings.Join(list, " ")
}

var everything = []bearer.Spec{
	{Kind: auth.Body, Name: "token", MaxBody: 50},
	{Kind: auth.APIKey},
	{Kind: auth.Bearer},
	{Kind: auth.Query, Name: "token"},
	{Kind: auth.KeyUserToken},
	{Kind: auth.Basic},
}

func TestChainRead(t *testing.T) {
	post := func(body, target string, lines ...string) *http.Request {
		r := request(lines...)
		r.Method, r.Body, r.URL.RawQuery = http.MethodPost, io.NopCloser(strings.NewReader(body)), target
		return r
	}
	large := `{"token":"b","x":"` + strings.Repeat("x", 100) + `"}`
	for name, c := range map[string]struct {
		r    *http.Request
		want string
	}{
		"nothing is no error":                          {request(), ""},
		"one is read":                                  {request("Authorization: Bearer a"), "bearer=a"},
		"several are in the order of the chain":        {request("Authorization: Bearer a", "X-Api-Key: k"), "api_key=k bearer=a"},
		"a body counts where nothing else does":        {post(`{"token":"b"}`, ""), "body=b"},
		"a body is not read beside another":            {post(`{"token":"b"}`, "token=q"), "query=q"},
		"a large body is no trouble beside another":    {post(large, "", "X-Api-Key: k"), "api_key=k"},
		"a large body alone is refused":                {post(large, ""), "malformed: too_large"},
		"what cannot be read refuses the request":      {request("Authorization: Bearer", "X-Api-Key: k"), "malformed: form"},
		"two values of one source refuse it":           {request("X-Api-Key: j", "Authorization: Bearer a", "X-Api-Key: k"), "malformed: duplicate"},
		"parts of three refuse it beside a good one":   {request("X-Api-Key: k", "userid: u"), "invalid_credential: mismatch"},
		"another scheme is left to the upstream":       {request("Authorization: Digest x", "X-Api-Key: k"), "api_key=k"},
		"three headers are one credential":             {request("apikey: k", "userid: u", "token: t"), "key_user_token=kt"},
		"nothing good makes up for a body that broke":  {broken(`{"`), "malformed: form: broken off"},
		"two schemes in two fields are malformed":      {request("Authorization: Basic azE6", "Authorization: Bearer a"), "malformed: duplicate"},
		"each scheme is the business of its own spec":  {request("Authorization: Basic azE6"), "basic=k1"},
		"five at once are handed on for the next step": {post("", "token=q", "Authorization: Bearer a", "X-Api-Key: k", "apikey: k", "userid: u", "token: t"), "api_key=k bearer=a query=q key_user_token=kt"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kinds(bearer.NewChain(everything, nil).Read(c.r)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestChainYields(t *testing.T) {
	chain := bearer.NewChain([]bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.APIKey}},
		[][2]auth.CredentialKind{{auth.Bearer, auth.APIKey}})
	if !chain.Yields(auth.Bearer, auth.APIKey) || chain.Yields(auth.APIKey, auth.Bearer) || chain.Yields(auth.Bearer, auth.Basic) {
		t.Error("the pair does not hold in one direction only")
	}
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"a Bearer that cannot be read yields to a key":   {[]string{"Authorization: Bearer", "X-Api-Key: k"}, "api_key=k"},
		"a Bearer that is no token yields to a key":      {[]string{"Authorization: Bearer a b", "X-Api-Key: k"}, "api_key=k"},
		"alone it is refused":                            {[]string{"Authorization: Bearer a b"}, "invalid_credential: form"},
		"two Bearers yield to nothing":                   {[]string{"Authorization: Bearer a", "Authorization: Bearer b", "X-Api-Key: k"}, "malformed: duplicate"},
		"an empty key is none to yield to":               {[]string{"Authorization: Bearer a b", "X-Api-Key: "}, "invalid_credential: form"},
		"a key that cannot be read yields to no Bearer":  {[]string{"Authorization: Bearer a", "X-Api-Key: k", "X-Api-Key: l"}, "malformed: duplicate"},
		"two that cannot be read are refused":            {[]string{"Authorization: Bearer a b", "X-Api-Key: " + strings.Repeat("k", 9000)}, "invalid_credential: too_large"},
		"a readable one is for the next step to compare": {[]string{"Authorization: Bearer a", "X-Api-Key: k"}, "bearer=a api_key=k"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kinds(chain.Read(request(c.lines...))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestChainReadsOneHeaderForOneCredential(t *testing.T) {
	chain := bearer.NewChain([]bearer.Spec{{Kind: auth.APIKey, Name: "apikey"}, {Kind: auth.KeyUserToken}}, nil)
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"the key alone is an API key":        {[]string{"apikey: k"}, "api_key=k"},
		"with the others it is one of three": {[]string{"apikey: k", "userid: u", "token: t"}, "key_user_token=kt"},
		"with some of them it is a wrong one": {
			[]string{"apikey: k", "token: t"}, "invalid_credential: mismatch",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kinds(chain.Read(request(c.lines...))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestChainReadsAKeyWhateverElseIsThere(t *testing.T) {
	chain := bearer.NewChain([]bearer.Spec{{Kind: auth.APIKey, Name: "apikey"}}, nil)
	if got := kinds(chain.Read(request("apikey: k", "userid: u", "token: t"))); got != "api_key=k" {
		t.Errorf("got %q", got)
	}
}

func TestChainForgivesOneBadCredentialAtMost(t *testing.T) {
	chain := bearer.NewChain([]bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.Query, Name: "t"}, {Kind: auth.APIKey}},
		[][2]auth.CredentialKind{{auth.Bearer, auth.APIKey}, {auth.Query, auth.APIKey}})
	r := request("Authorization: Bearer a b", "X-Api-Key: k")
	r.URL.RawQuery = "t=%zz"
	if got := kinds(chain.Read(r)); got != "malformed: form" {
		t.Errorf("got %q", got)
	}
}

func TestChainMergesSpecsOfOneSource(t *testing.T) {
	upper := func(n int) func(string) (string, bool) {
		return func(s string) (string, bool) { return strings.ToUpper(s), len(s) == n }
	}
	chain := bearer.NewChain([]bearer.Spec{
		{Kind: auth.Query, Name: "Token", FoldName: true, Form: upper(2)},
		{Kind: auth.Query, Name: "token", Form: upper(3)},
		{Kind: auth.APIKey},
		{Kind: auth.APIKey, Name: "X-API-KEY", Form: upper(2)},
	}, nil)
	for query, want := range map[string]string{
		"token=ab": "query=AB", "TOKEN=abc": "query=ABC", "token=abcd": "malformed: form", "token=ab&Token=ab": "malformed: duplicate",
	} {
		t.Run(query+" gives "+want, func(t *testing.T) {
			if got := kinds(chain.Read(withQuery(query))); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
	for line, want := range map[string]string{"X-Api-Key: ab": "api_key=AB", "X-Api-Key: abc": "api_key=abc"} {
		t.Run(line+" gives "+want, func(t *testing.T) {
			if got := kinds(chain.Read(request(line))); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestChainMergesBearers as of two dialects on one site: one with opaque
// tokens, one with JWTs and keys.
func TestChainMergesBearers(t *testing.T) {
	opaque, login := bearer.Spec{Kind: auth.Bearer}, bearer.Spec{Kind: auth.Bearer, Lenient: true, Keys: true}
	for _, specs := range [][]bearer.Spec{{opaque, login}, {login, opaque}} {
		chain := bearer.NewChain(specs, nil)
		for value, want := range map[string]string{
			"Bearer opaque": "bearer=opaqueopaque", "JWT opaque": "bearer=opaqueopaque", "opaque": "bearer=opaqueopaque",
			"Bearer a.b.c": "bearer=a.b.c", "a.b.c": "bearer=a.b.c", "Basic azE6": "", "Bearer": "malformed: form",
		} {
			r := request("Authorization: " + value)
			if got := kinds(chain.Read(r)); got != want {
				t.Errorf("%s: got %q, want %q", value, got, want)
			}
			if chain.Strip(r); len(r.Header) != 0 && value != "Basic azE6" {
				t.Errorf("%s: left are %v", value, r.Header)
			}
		}
		if got := chain.Headers(); !slices.Equal(got, []string{"Authorization"}) {
			t.Errorf("fields are %v", got)
		}
	}
}

func TestChainBoundsHowManyArePresented(t *testing.T) {
	var specs []bearer.Spec
	var query []string
	for i := range 9 {
		name := fmt.Sprintf("t%d", i)
		specs, query = append(specs, bearer.Spec{Kind: auth.Query, Name: name}), append(query, name+"=x")
	}
	chain := bearer.NewChain(specs, nil)
	if got := kinds(chain.Read(withQuery(strings.Join(query, "&")))); got != "malformed: ambiguous" {
		t.Errorf("nine at once: %q", got)
	}
	if got := kinds(chain.Read(withQuery(query[8]))); got != "query=x" {
		t.Errorf("the ninth alone: %q", got)
	}
}

func TestChainStripsAllItReads(t *testing.T) {
	r := request("Authorization: Bearer a", "X-Api-Key: k", "apikey: k", "userid: u", "token: t",
		"entity-authentication-token: e", "X-Other: o", "Cookie: c=1")
	r.URL.RawQuery = "a=1&token=q"
	bearer.NewChain(everything, nil).Strip(r)
	if len(r.Header) != 2 || r.Header.Get("X-Other") != "o" || r.Header.Get("Cookie") != "c=1" {
		t.Errorf("left are %v", r.Header)
	}
	if r.URL.RawQuery != "a=1" {
		t.Errorf("left is %q", r.URL.RawQuery)
	}
}

func TestStripAuthorization(t *testing.T) {
	for name, c := range map[string]struct {
		kind  auth.CredentialKind
		lines []string
		left  int
	}{
		"white space around it hides nothing":   {auth.Bearer, []string{"Authorization: \t Bearer a"}, 0},
		"none behind it does either":            {auth.Basic, []string{"Authorization: Basic a \t"}, 0},
		"JWT is another scheme":                 {auth.Bearer, []string{"Authorization: JWT a"}, 1},
		"a bare token is another's":             {auth.Bearer, []string{"Authorization: a"}, 1},
		"a good one goes":                       {auth.Bearer, []string{"Authorization: bearer a"}, 0},
		"a malformed one goes":                  {auth.Bearer, []string{"Authorization: Bearer,a b"}, 0},
		"a bare scheme goes":                    {auth.Basic, []string{"Authorization: BASIC"}, 0},
		"two go, whatever they are":             {auth.Bearer, []string{"Authorization: Digest a", "Authorization: Digest b"}, 0},
		"another scheme stays":                  {auth.Bearer, []string{"Authorization: Digest a"}, 1},
		"the scheme of another spec stays":      {auth.Basic, []string{"Authorization: Bearer a"}, 1},
		"a scheme that begins like it stays":    {auth.Bearer, []string{"Authorization: Bearer2 a"}, 1},
		"a proxy's credential is not ours":      {auth.Basic, []string{"Proxy-Authorization: Basic a"}, 1},
		"a key in another header is not ours":   {auth.APIKey, []string{"Apikey: k"}, 1},
		"a key goes, however often it is there": {auth.APIKey, []string{"X-Api-Key: k", "X-Api-Key: l"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(c.lines...)
			bearer.Spec{Kind: c.kind}.Strip(r)
			if len(r.Header) != c.left {
				t.Errorf("left are %v", r.Header)
			}
		})
	}
}

func TestStripLenientBearer(t *testing.T) {
	for value, left := range map[string]int{
		"Bearer a": 0, "bEARER": 0, "JWT a": 0, "jwt": 0, "JWT,a": 0, "a": 0, "a,b": 0, `"a"`: 0, " a": 0, "a\t": 0, " JWT a": 0,
		"": 1, "Basic a": 1, "Digest a=b, c=d": 1, "JWT2 a": 1, "\tBasic a": 1,
	} {
		r := request("Authorization: " + value)
		bearer.Spec{Kind: auth.Bearer, Lenient: true}.Strip(r)
		if len(r.Header) != left {
			t.Errorf("%q: left are %q", value, r.Header)
		}
	}
}

func TestChainNamesWhatToRedact(t *testing.T) {
	chain := bearer.NewChain(append(everything, bearer.Spec{Kind: auth.Query, Name: "Key"}, bearer.Spec{Kind: auth.APIKey, Name: "x-acme"}), nil)
	want := []string{"Apikey", "Authorization", "Entity-Authentication-Token", "Token", "Userid", "X-Acme", "X-Api-Key"}
	if got := chain.Headers(); !slices.Equal(got, want) {
		t.Errorf("headers are %v", got)
	}
	if got := chain.Queries(); !slices.Equal(got, []string{"token", "Key"}) {
		t.Errorf("parameters are %v", got)
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	chain := bearer.NewChain(everything, nil)
	p, err := chain.Read(request("apikey: planted-1", "userid: planted-2", "token: planted-3", "entity-authentication-token: planted-4"))
	if err != nil || p.Len() != 1 {
		t.Fatalf("%d credentials, %v", p.Len(), err)
	}
	c := p.At(0)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+"\n", c, &c, p, &p)
		fmt.Fprintf(&out, verb, struct{ Credential bearer.Credential }{c})
	}
	for _, v := range []any{c, p, &p} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "c", c, "p", p)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "c", c, "p", p)
	if strings.Contains(out.String(), "planted") || strings.Contains(out.String(), fmt.Sprintf("%x", "planted")) {
		t.Errorf("a secret is printed in %s", out.String())
	}
	if !strings.Contains(out.String(), "key_user_token "+auth.Redacted) {
		t.Error("the kind is not printed")
	}
}

func TestReadingAndStrippingAllocateNothing(t *testing.T) {
	chain := bearer.NewChain(everything, nil)
	values := []string{"Bearer abcdefghijklmnopqrstuvwxyz"}
	keys := []string{"k-1234567890"}
	r := request("Accept: */*", "User-Agent: x")
	if n := testing.AllocsPerRun(100, func() {
		r.Header["Authorization"], r.Header["X-Api-Key"] = values, keys
		if p, err := chain.Read(r); err != nil || p.Len() != 2 {
			t.Errorf("%d credentials, %v", p.Len(), err)
		}
		chain.Strip(r)
	}); n != 0 {
		t.Errorf("reading and stripping headers costs %v allocations", n)
	}
	q := withQuery("a=1&token=abcdef")
	if n := testing.AllocsPerRun(100, func() { _, _ = chain.Read(q) }); n != 0 {
		t.Errorf("reading a query costs %v allocations", n)
	}
}

func BenchmarkChain(b *testing.B) {
	chain := bearer.NewChain([]bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.APIKey}}, nil)
	values := []string{"Bearer abcdefghijklmnopqrstuvwxyz0123456789"}
	r := request("Accept: */*", "User-Agent: x", "Accept-Encoding: gzip")
	b.ReportAllocs()
	for b.Loop() {
		r.Header["Authorization"] = values
		if _, err := chain.Read(r); err != nil {
			b.Fatal(err)
		}
		chain.Strip(r)
	}
}
