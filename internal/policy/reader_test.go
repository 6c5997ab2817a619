package policy_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/policy"
)

var everySpelling = policy.Reader{EncodedSlash: true, DoubleSlash: true, Semicolon: true, Backslash: true}

// read returns all ways to read a target, sorted; nil where it is refused.
func read(t testing.TB, d policy.Reader, target string) []string {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatalf("no server would take the target %q: %v", target, err)
	}
	path, others, err := d.Read(target, u)
	if err != nil {
		if path != "" || others != nil {
			t.Errorf("Read(%q) returned %q and %q beside the error", target, path, others)
		}
		return nil
	}
	all := append([]string{path}, others...)
	slices.Sort(all)
	return all
}

func TestAReaderTellsEveryReadingOfWhatItAllows(t *testing.T) {
	slash, double, semicolon, backslash := policy.Reader{EncodedSlash: true}, policy.Reader{DoubleSlash: true},
		policy.Reader{Semicolon: true}, policy.Reader{Backslash: true}
	for name, c := range map[string]struct {
		reader policy.Reader
		target string
		want   []string
	}{
		"a plain path reads in one way":              {everySpelling, "/a/b", []string{"/a/b"}},
		"an encoded slash is one or none":            {slash, "/a%2fb", []string{"/a%2Fb", "/a/b"}},
		"two encoded slashes are read alike":         {slash, "/a%2Fb%2fc", []string{"/a%2Fb%2Fc", "/a/b/c"}},
		"an encoded slash at the end":                {slash, "/a%2F", []string{"/a%2F", "/a/"}},
		"an empty segment is kept or dropped":        {double, "/a//b", []string{"/a//b", "/a/b"}},
		"several slashes are kept or merged":         {double, "/a///b//", []string{"/a///b//", "/a/b/"}},
		"a parameter is of a segment or the rest":    {semicolon, "/a;v=1/b", []string{"/a", "/a/b", "/a;v=1/b"}},
		"an encoded semicolon reads the same":        {semicolon, "/a%3Bv=1/b", []string{"/a", "/a/b", "/a;v=1/b"}},
		"a backslash is a slash or none":             {backslash, `/a\b`, []string{"/a/b", `/a\b`}},
		"an encoded backslash too":                   {backslash, "/a%5Cb", []string{"/a/b", `/a\b`}},
		"two kinds are read in either order":         {policy.Reader{EncodedSlash: true, Semicolon: true}, "/a;x%2Fb", []string{"/a", "/a/b", "/a;x%2Fb", "/a;x/b"}},
		"an absolute target too":                     {slash, "http://h/a%2Fb", []string{"/a%2Fb", "/a/b"}},
		"what is not allowed is refused: a slash":    {policy.Reader{DoubleSlash: true, Semicolon: true, Backslash: true}, "/a%2Fb", nil},
		"what is not allowed is refused: two":        {policy.Reader{EncodedSlash: true, Semicolon: true, Backslash: true}, "/a//b", nil},
		"what is not allowed is refused: ;":          {policy.Reader{EncodedSlash: true, DoubleSlash: true, Backslash: true}, "/a;b", nil},
		"what is not allowed is refused: a turned /": {policy.Reader{EncodedSlash: true, DoubleSlash: true, Semicolon: true}, `/a\b`, nil},
		"two encoded slashes make an empty segment":  {slash, "/a%2F%2Fb", nil},
		"two backslashes make one too":               {backslash, `/a\\b`, nil},
		"a parameter alone makes one too":            {semicolon, "/a/;x/b", nil},
		"case alone allows nothing":                  {policy.Reader{FoldCase: true}, "/a%2Fb", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := read(t, c.reader, c.target); !slices.Equal(got, c.want) {
				t.Errorf("%q reads as %q, want %q", c.target, got, c.want)
			}
		})
	}
}

// TestNoReaderAllowsAWayUp or out, whatever else it allows.
func TestNoReaderAllowsAWayUp(t *testing.T) {
	for _, target := range []string{
		"/public/../private", "/public/..%2fprivate", "/public%2f..%2fprivate", "/public/..;/private", "/public/..;a=b/private",
		"/public/;/../private", "/public/%2e%2e;/private", `/public\..\private`, "/public/..%5cprivate", "/public/.;/private",
		"//evil/x", "/%2fevil/x", `/\evil/x`, "/;a//evil", "/;/evil/x", "/%2F", "/%5c", "/a%00b", "/a%2500", "/a%252fb", "/a%23;b",
		"/a%3f;b", "/a;%ff", "/a;%c0%ae", "/a%2F%2e%2e", "/a/%20;/b", "/...%2Fx", "/a;%0d", "/a%255cb", "/%2e%2F", "/.%5C", "/a//..",
	} {
		if got := read(t, everySpelling, target); got != nil {
			t.Errorf("%q reads as %q", target, got)
		}
	}
}

func TestAReaderRefusesPartsThatDisagree(t *testing.T) {
	for name, u := range map[string]*url.URL{
		"a path that was rewritten alone":  {Path: "/public//x", RawPath: "/priv%61te//x"},
		"a raw path that does not decode":  {Path: "/a//b", RawPath: "/%zz"},
		"a kept slash that is none":        {Path: "/a\x00b/c", RawPath: "/a%00b%2Fc"},
		"a query with a space":             {Path: "/a//b", RawQuery: "a b"},
		"an opaque URL":                    {Path: "/a//b", Opaque: "//up/private"},
		"a raw path with one more segment": {Path: "/a/b", RawPath: "/a/b%2Fc"},
	} {
		t.Run(name, func(t *testing.T) {
			if path, others, err := everySpelling.Read("", u); err == nil {
				t.Errorf("read as %q and %q", path, others)
			}
		})
	}
	u := &url.URL{Path: "/a//b"}
	if _, _, err := everySpelling.Read("http://h/other//b", u); err == nil {
		t.Error("an absolute target with another path was read")
	}
}

func TestAReaderOpensInAnyCaseOnlyIfItFoldsCase(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		exact, fold   bool
	}{
		{"/docs/*", "/docs/x", true, true},
		{"/docs/*", "/DOCS/x", false, true},
		{"/Docs", "/docS", false, true},
		{"*.CSS", "/x.css", false, true},
		{"/docs/*", "/doc\u017F/x", false, false}, // the long s folds to s, for some
		{"/docs/*", "/DOCS", false, false},
		{"/docs", "/docs/", false, false},
		{"/caf\u00e9", "/CAF\u00c9", false, false},
	} {
		p := pattern(t, c.pattern)
		if got := (policy.Reader{}).Opens(p, c.path); got != c.exact {
			t.Errorf("%s opens %q: %v", p, c.path, got)
		}
		if got := (policy.Reader{FoldCase: true}).Opens(p, c.path); got != c.fold {
			t.Errorf("%s opens %q in any case: %v", p, c.path, got)
		}
	}
}

// upstreams read a raw path as servers in the field do, one step after the
// other. None of them knows the package under test.
var upstreamSteps = []func(string) string{
	func(p string) string { return strings.NewReplacer("%2f", "/", "%2F", "/").Replace(p) },
	func(p string) string { return strings.NewReplacer(`\`, "/", "%5c", "/", "%5C", "/").Replace(p) },
	func(p string) string {
		var kept []string
		for i, segment := range strings.Split(p, "/") {
			if segment != "" || i == 0 {
				kept = append(kept, segment)
			}
		}
		if strings.HasSuffix(p, "/") {
			kept = append(kept, "")
		}
		return strings.Join(kept, "/")
	},
	func(p string) string {
		out := strings.Builder{}
		skip := false
		for _, c := range []byte(strings.NewReplacer("%3b", ";", "%3B", ";").Replace(p)) {
			skip = skip && c != '/' || c == ';'
			if !skip {
				out.WriteByte(c)
			}
		}
		return out.String()
	},
}

// FuzzReader: whatever of the steps an upstream takes, in whatever order, it
// arrives at a path that was told.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"/a%2fb", "/a//b", "/a;b/c", `/a\b`, "/a;b%2Fc//d\\e;f", "/a%5c%2f;x/b", "/a;/b", "/a/;", "/x%2f;y%2fz//w", "/a%3bb%2f%2fc",
	} {
		f.Add(seed, uint8(0b00011011))
	}
	f.Fuzz(func(t *testing.T, target string, order uint8) {
		if !strings.HasPrefix(target, "/") {
			return
		}
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		path, others, err := everySpelling.Read(target, u)
		if err != nil {
			return
		}
		told := append([]string{path}, others...)
		for _, p := range told {
			for _, segment := range strings.Split(p, "/") {
				if segment == "." || segment == ".." {
					t.Errorf("%q was told as %q", target, p)
				}
			}
		}
		got, _, _ := strings.Cut(target, "?")
		for range 4 {
			got = upstreamSteps[order&3](got)
			order >>= 2
		}
		decoded, err := url.PathUnescape(got)
		if err != nil {
			t.Fatalf("%q became %q, which nobody can decode", target, got)
		}
		kept, err := url.PathUnescape(strings.NewReplacer("%2f", "%252F", "%2F", "%252F").Replace(got))
		if err != nil || !slices.Contains(told, decoded) && !slices.Contains(told, kept) {
			t.Errorf("%q became %q (%q), told was %q", target, got, decoded, told)
		}
	})
}
