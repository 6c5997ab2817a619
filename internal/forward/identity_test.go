package forward_test

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
)

func TestIdentitySet(t *testing.T) {
	for name, c := range map[string]struct {
		p    *auth.Principal
		want http.Header
	}{
		"all that is known is told": {
			&auth.Principal{
				Subject: "4f0b", Username: "joe", Tenant: "t1", TenantName: "Acme", Unit: "U9", Roles: []string{"staff", "admin"},
				Scopes: auth.Scope{"read", "write"}, Credential: auth.Bearer, TokenID: "id7",
			},
			http.Header{
				"X-Auth-Subject": {"4f0b"}, "X-Auth-Username": {"joe"}, "X-Auth-Tenant": {"t1"}, "X-Auth-Unit": {"U9"},
				"X-Auth-Roles": {"staff,admin"}, "X-Auth-Scopes": {"read,write"}, "X-Auth-Credential": {"bearer:id7"},
			},
		},
		"what is not known is left out": {
			&auth.Principal{Subject: "key:12", Credential: auth.APIKey, KeyID: 12},
			http.Header{"X-Auth-Subject": {"key:12"}, "X-Auth-Credential": {"api_key:12"}},
		},
		"a token that was had for a key is the token": {
			&auth.Principal{Subject: "4f0b", Credential: auth.Query, KeyID: 12, TokenID: "id7"},
			http.Header{"X-Auth-Subject": {"4f0b"}, "X-Auth-Credential": {"query:id7"}},
		},
		"a token from elsewhere has no id": {
			&auth.Principal{Subject: "4f0b", Credential: auth.Bearer},
			http.Header{"X-Auth-Subject": {"4f0b"}, "X-Auth-Credential": {"bearer"}},
		},
		"other scripts are percent-encoded": {
			&auth.Principal{Subject: "4f0b", Username: "jürgen", Credential: auth.Basic, KeyID: 1},
			http.Header{"X-Auth-Subject": {"4f0b"}, "X-Auth-Username": {"j%C3%BCrgen"}, "X-Auth-Credential": {"basic:1"}},
		},
		"a name with a comma is no two names": {
			&auth.Principal{Subject: "4f0b", Roles: []string{"a,admin", "", "b"}, Credential: auth.Bearer},
			http.Header{"X-Auth-Subject": {"4f0b"}, "X-Auth-Roles": {"a%2Cadmin,b"}, "X-Auth-Credential": {"bearer"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			forward.NewIdentity(c.p).Set(h)
			if !reflect.DeepEqual(h, c.want) {
				t.Errorf("told %v, want %v", h, c.want)
			}
		})
	}
}

func TestIdentitySetReplacesWhatWasThere(t *testing.T) {
	id := forward.NewIdentity(&auth.Principal{Subject: "a", Username: "joe", Credential: auth.Bearer})
	h := http.Header{"X-Auth-Subject": {"forged", "twice"}, "X-User": {"forged"}}
	id.Set(h, forward.Field{Name: "X-User", Value: "é\r\nX: y"}, forward.Field{Name: "X-Auth-Username"}, forward.Field{Name: "X-None"})
	want := http.Header{"X-Auth-Subject": {"a"}, "X-User": {"%C3%A9%0D%0AX: y"}, "X-Auth-Credential": {"bearer"}}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("told %v, want %v", h, want)
	}
}

func TestIdentityIsNotSharedBetweenRequests(t *testing.T) {
	id := forward.NewIdentity(&auth.Principal{Subject: "a", Username: "joe", Credential: auth.Bearer})
	first, second := http.Header{}, http.Header{}
	id.Set(first)
	id.Set(second)
	first["X-Auth-Subject"][0] = "changed in place"
	first["X-Auth-Subject"] = append(first["X-Auth-Subject"], "more")
	first.Add("X-Auth-Username", "more")
	if second.Get("X-Auth-Subject") != "a" || second.Get("X-Auth-Username") != "joe" {
		t.Errorf("another request is told %v", second)
	}
	if first.Get("X-Auth-Credential") != "bearer" || first.Get("X-Auth-Username") != "joe" {
		t.Errorf("appending to one field changed another: %v", first)
	}
}

func TestSettingIdentityIsOneAllocation(t *testing.T) {
	id := forward.NewIdentity(&auth.Principal{
		Subject: "4f0b", Username: "joe", Tenant: "t1", Roles: []string{"staff"}, Credential: auth.Bearer, TokenID: "id7",
	})
	h := make(http.Header, 16)
	extra := forward.Field{Name: "X-User", Value: "joe"}
	if n := testing.AllocsPerRun(100, func() { id.Set(h, extra) }); n != 1 {
		t.Errorf("setting costs %v allocations", n)
	}
}

func TestEscape(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain ASCII is itself":                 {`a B/c:"d"'\~!,;=`, `a B/c:"d"'\~!,;=`},
		"nothing is nothing":                    {"", ""},
		"UTF-8 is encoded":                      {"日", "%E6%97%A5"},
		"a line break is encoded":               {"a\r\nb", "a%0D%0Ab"},
		"NUL and DEL are encoded":               {"\x00\x7f", "%00%7F"},
		"a percent is encoded":                  {"50%", "50%25"},
		"what looks encoded is not mixed up":    {"%C3%A9", "%25C3%25A9"},
		"spaces at the ends are encoded":        {" a b ", "%20a b%20"},
		"bytes that are not UTF-8 are kept too": {"\xff", "%FF"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := forward.Escape(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "joe", "é", "%C3%A9", " a ", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := forward.Escape(value)
		if back, err := url.PathUnescape(got); err != nil || back != value {
			t.Fatalf("%q came back as %q, %v", value, back, err)
		}
		if strings.ContainsFunc(got, func(c rune) bool { return c < 0x20 || c > 0x7e }) || strings.TrimSpace(got) != got {
			t.Fatalf("%q is no plain value", got)
		}
	})
}

func BenchmarkSet(b *testing.B) {
	id := forward.NewIdentity(&auth.Principal{
		Subject: "4f0b", Username: "joe", Roles: []string{"staff"}, Credential: auth.Bearer, TokenID: "id7",
	})
	h := typical()
	b.ReportAllocs()
	for b.Loop() {
		id.Set(h)
	}
}
