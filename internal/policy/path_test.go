package policy_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/policy"
)

func readPath(t *testing.T, target string) (string, error) {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatalf("no server would take the target %q: %v", target, err)
	}
	return policy.ReadPath(target, u)
}

func TestReadPathReturnsWhatTheUpstreamSees(t *testing.T) {
	for name, c := range map[string]struct{ target, want string }{
		"a plain path stays":                           {"/v1/things/12", "/v1/things/12"},
		"the root stays":                               {"/", "/"},
		"a trailing slash stays":                       {"/docs/", "/docs/"},
		"the query is no part of it":                   {"/docs?next=/../x;y%2f", "/docs"},
		"an escaped letter is the letter":              {"/%41pi", "/Api"},
		"an escaped tilde is the tilde":                {"/%7Ejoe", "/~joe"},
		"a space is a space":                           {"/a%20b", "/a b"},
		"a name that ends in a dot stays":              {"/companies/Acme%20Inc.", "/companies/Acme Inc."},
		"a hidden folder is a name":                    {"/.well-known/jwks.json", "/.well-known/jwks.json"},
		"two dots within a name are a name":            {"/a..b/..c/d..", "/a..b/..c/d.."},
		"letters of other scripts are decoded":         {"/caf%C3%A9", "/café"},
		"a lone percent that is no escape is itself":   {"/100%25", "/100%"},
		"a percent before no hex digits is itself":     {"/5%25off%25zz", "/5%off%zz"},
		"sub-delimiters stay":                          {"/a!$&'()*+,=:@b", "/a!$&'()*+,=:@b"},
		"an escaped ampersand is the character":        {"/a%26b", "/a&b"},
		"a star in a path is a name":                   {"/*", "/*"},
		"the star of OPTIONS is itself":                {"*", "*"},
		"an absolute target has a path":                {"http://api.example/v1", "/v1"},
		"an absolute target with escapes has a path":   {"http://api.example/%41?q=1", "/A"},
		"an absolute target without a path has a root": {"http://api.example", "/"},
		"an absolute target with a query alone too":    {"http://api.example?q=1", "/"},
		"an absolute target with a root has a root":    {"http://api.example/", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readPath(t, c.target)
			if err != nil || got != c.want {
				t.Errorf("ReadPath(%q) = %q, %v; want %q", c.target, got, err, c.want)
			}
		})
	}
}

func TestReadPathRefusesWhatReadsTwoWays(t *testing.T) {
	for name, targets := range map[string][]string{
		"a parent segment":                 {"/public/../private", "/..", "/a/..", "/../"},
		"an escaped parent segment":        {"/private/%2e%2e/public/x", "/.%2e/", "/%2E./x", "/a/%2e%2e"},
		"a segment that is a dot":          {"/./", "/a/./b", "/a/.", "/%2e/x", "/a/%2e"},
		"a segment of dots and spaces":     {"/.../x", "/a/%20/b", "/..%20/x", "/%20", "/.%20."},
		"an empty segment":                 {"//", "//evil/x", "/a//b", "/a//", "///"},
		"an escaped slash":                 {"/a%2fb", "/a%2Fb", "/%2f", "/public/..%2fprivate", "/%2Fadmin"},
		"a backslash":                      {"/a\\b", "/a%5cb", "/a%5Cb", "/..\\x"},
		"a path parameter":                 {"/public/..;/private", "/a;b=c/d", "/a%3bb", "/a%3Bb", "/;/"},
		"a number sign":                    {"/a#b", "/a%23b", "/#"},
		"an escaped question mark":         {"/a%3fb", "/a%3F", "/private%3F/public/"},
		"a percent that would decode":      {"/public/%252e%252e/private", "/%2541", "/a%252fb", "/%25%32%65"},
		"a percent and u that some decode": {"/a%25u002e", "/%25U2215"},
		"a control character":              {"/a%00", "/a%09b", "/a%0d%0ab", "/%7f", "/%1f", "/%C2%85"},
		"an overlong form":                 {"/%c0%ae%c0%ae/x", "/a%c0%af", "/%e0%80%af"},
		"bytes that are not UTF-8":         {"/%ff", "/a%80b", "/%ed%a0%80"},
		"raw bytes that are not UTF-8":     {"/\xff"},
		"an absolute target with dots":     {"http://up/public/../private"},
		"an absolute target, two slashes":  {"http://up//private"},
		"a target without an authority":    {"mailto:x"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range targets {
				got, err := readPath(t, target)
				if auth.AsError(err) == nil || auth.CodeOf(err) != auth.Malformed || auth.AsError(err).Reason != auth.ReasonPath {
					t.Errorf("ReadPath(%q) = %q, %v; want malformed: path", target, got, err)
				}
				if got != "" {
					t.Errorf("ReadPath(%q) returned %q beside the error", target, got)
				}
			}
		})
	}
}

func TestReadPathRefusesPartsThatDisagree(t *testing.T) {
	for name, c := range map[string]struct {
		target string
		u      *url.URL
	}{
		"a decoded path that was rewritten alone":      {"/private", &url.URL{Path: "/public", RawPath: "/priv%61te"}},
		"a raw path that was rewritten alone":          {"/public", &url.URL{Path: "/priv%61te", RawPath: "/public"}},
		"a raw path that does not decode":              {"/a", &url.URL{Path: "/a", RawPath: "/%zz"}},
		"an absolute target whose path is another":     {"http://up/private", &url.URL{Path: "/public"}},
		"an absolute target whose query is no path":    {"http://up?/public", &url.URL{Path: "/public"}},
		"an absolute target with a root for something": {"http://up/", &url.URL{Path: "/public"}},
		"the authority form":                           {"up:443", &url.URL{Path: "/public"}},
		"an opaque URL":                                {"", &url.URL{Opaque: "//up/private", Path: "/public"}},
		"a fragment":                                   {"", &url.URL{Path: "/public", Fragment: "x"}},
		"a query with a space":                         {"/public?a=b HTTP/1.0", &url.URL{Path: "/public", RawQuery: "a=b HTTP/1.0"}},
		"a relative path":                              {"", &url.URL{Path: "public"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := policy.ReadPath(c.target, c.u); err == nil {
				t.Errorf("got %q", got)
			}
		})
	}
}

// The fixed point of the whole: what is decided on is what another server
// would read, be it careful or careless.
func checkOneReading(t *testing.T, u *url.URL, got string) {
	t.Helper()
	if got == "*" {
		return
	}
	if again, err := url.PathUnescape(got); err == nil && again != got {
		t.Errorf("%q decodes again, to %q", got, again)
	}
	if clean := path.Clean(got); clean != got && clean+"/" != got {
		t.Errorf("%q cleans to %q", got, clean)
	}
	if !utf8.ValidString(got) || strings.ContainsAny(got, ";\\#?\x00\r\n\t") {
		t.Errorf("%q holds what another reader would split at", got)
	}
	for i, segment := range strings.Split(got, "/") {
		if last := i == strings.Count(got, "/"); segment == "" && i > 0 && !last || segment == "." || segment == ".." {
			t.Errorf("%q has the segment %q", got, segment)
		}
	}
	raw := u.EscapedPath()
	sent, err := url.ParseRequestURI("/" + strings.TrimPrefix(raw, "/"))
	if err != nil {
		t.Fatalf("the upstream cannot read %q: %v", raw, err)
	}
	if sent.Path != got {
		t.Errorf("decided on %q, sent %q", got, sent.Path)
	}
	if second, err := policy.ReadPath(raw, sent); err != nil || second != got {
		t.Errorf("read again, %q is %q, %v", got, second, err)
	}
	if slashes := strings.Count(raw, "/"); raw != "" && slashes != strings.Count(got, "/") {
		t.Errorf("%q and %q split differently", raw, got)
	}
}

func FuzzReadPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/a/b", "/a/", "/%41", "/a%20b", "/..", "//", "/a%2fb", "/a;b", "/%252e", "/%c0%ae", "/caf%C3%A9",
		"*", "http://h/a", "http://h", "/a#b", "/100%25", "/a%25u002e", "/a?b=/..", "/.well-known/x", "/a\\b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		got, err := policy.ReadPath(target, u)
		if (err == nil) == (got == "") {
			t.Fatalf("%q: an error xor a path, not %q and %v", target, got, err)
		}
		if err == nil {
			checkOneReading(t, u, got)
		}
	})
}

// A handler before ours may leave any pair of paths behind.
func FuzzReadPathOfAnyURL(f *testing.F) {
	f.Add("/a", "")
	f.Add("/a b", "/a%20b")
	f.Add("/public", "/private")
	f.Add("/a/b", "/a%2Fb")
	f.Fuzz(func(t *testing.T, decoded, raw string) {
		u := &url.URL{Path: decoded, RawPath: raw}
		if got, err := policy.ReadPath("", u); err == nil {
			checkOneReading(t, u, got)
		}
	})
}

// Public lists of ways around a proxy: each either is refused, or reads as the
// one path that an upstream is sent.
func TestThirdPartyPathsReadInOneWay(t *testing.T) {
	folder := os.Getenv("GATEHOUSE_CORPORA")
	if folder == "" {
		t.Skip("GATEHOUSE_CORPORA is not set: no third-party paths to replay")
	}
	tried := 0
	for _, list := range []string{"midpaths", "endpaths"} {
		file, err := os.Open(filepath.Join(folder, "nomore403", list))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			for _, target := range []string{"/public/" + lines.Text() + "admin", "/" + lines.Text() + "/admin", "/admin" + lines.Text()} {
				u, err := url.ParseRequestURI(target)
				if err != nil {
					continue
				}
				tried++
				if got, err := policy.ReadPath(target, u); err == nil {
					checkOneReading(t, u, got)
				}
			}
		}
	}
	if tried < 300 {
		t.Fatalf("only %d targets were tried", tried)
	}
}

func TestReadPathAllocatesNothingWithoutEscapes(t *testing.T) {
	for _, target := range []string{"/v1/things/12?x=1", "/.well-known/a", "/caf\u00e9"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		u.RawPath, r.URL, r.RequestURI = "", u, target
		if n := testing.AllocsPerRun(100, func() { _, _ = policy.ReadPath(r.RequestURI, r.URL) }); n != 0 {
			t.Errorf("%q costs %v allocations", target, n)
		}
	}
}

func BenchmarkReadPath(b *testing.B) {
	u, err := url.ParseRequestURI("/v1/organisations/12/things/4711")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.ReadPath(u.Path, u); err != nil {
			b.Fatal(err)
		}
	}
}
