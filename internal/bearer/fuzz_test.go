package bearer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

// checkReading holds what every reader promises: an error xor a credential, of
// the right kind, not empty, within the bound, and the same when read again.
func checkReading(t *testing.T, s bearer.Spec, r *http.Request) {
	t.Helper()
	c, present, err := s.Read(r)
	if err != nil {
		if present || c != (bearer.Credential{}) {
			t.Fatal("an error came with a credential")
		}
		if code := auth.CodeOf(err); code != auth.Malformed && code != auth.InvalidCredential {
			t.Fatalf("a client's fault reads as %s", code)
		}
	}
	if present != (c.Kind == s.Kind) || present != (c.Token+c.Key+c.User+c.Entity != "") {
		t.Fatalf("present is %v with a credential of kind %q", present, c.Kind)
	}
	for _, text := range []string{c.Token, c.Key, c.User, c.Entity} {
		if len(text) > bearer.MaxValue {
			t.Fatalf("a value of %d bytes was handed on", len(text))
		}
	}
	again, presentAgain, errAgain := s.Read(r)
	if again != c || presentAgain != present || (errAgain == nil) != (err == nil) {
		t.Fatal("it reads otherwise the second time")
	}
}

func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{
		"Authorization: Bearer abc", "Authorization: Basic azE6", "Authorization: Bearer a\nAuthorization: Bearer b",
		"X-Api-Key: k", "apikey: k\nuserid: u\ntoken: t", "apikey: k\nentity-authentication-token: e", "Authorization: bearer",
		"authorization: basic azE", "X-Api-Key: k\nx-api-key: l", "Authorization: Digest x\napikey: k", "Authorization: Bearer\x00x",
		"Authorization: JWT a.b.c", "Authorization: a.b.c", "Authorization: jwt\ta", "Authorization:  a.b.c \t", "Authorization: k1", "Authorization: 0 \r",
	} {
		f.Add(seed)
	}
	specs := []bearer.Spec{
		{Kind: auth.Bearer},
		{Kind: auth.Bearer, Lenient: true, Keys: true},
		{Kind: auth.Basic},
		{Kind: auth.APIKey},
		{Kind: auth.KeyUserToken},
	}
	f.Fuzz(func(t *testing.T, header string) {
		for _, s := range specs {
			r := request(strings.Split(header, "\n")...)
			checkReading(t, s, r)
			s.Strip(r)
			if _, present, err := s.Read(r); present || err != nil {
				t.Fatalf("%+v is still there after stripping: %v, %v", s, present, err)
			}
			trimValues(r)
			if _, present, err := s.Read(r); present || err != nil {
				t.Fatalf("%+v is there again where a proxy trims: %v, %v", s, present, err)
			}
		}
		checkChain(t, request(strings.Split(header, "\n")...))
	})
}

// trimValues does to Authorization what an HTTP/1.1 client does to any field
// that it sends on.
func trimValues(r *http.Request) {
	for i, v := range r.Header["Authorization"] {
		r.Header["Authorization"][i] = strings.Trim(v, " \t\r\n")
	}
}

func checkChain(t *testing.T, r *http.Request) {
	t.Helper()
	chain := bearer.NewChain([]bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.Basic}, {Kind: auth.APIKey}, {Kind: auth.KeyUserToken}}, nil)
	p, err := chain.Read(r)
	if err != nil && p.Len() != 0 {
		t.Fatal("an error came with credentials")
	}
	chain.Strip(r)
	if p, err = chain.Read(r); err != nil || p.Len() != 0 {
		t.Fatalf("%d credentials and %v after stripping", p.Len(), err)
	}
}
