package policy_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/policy"
)

func pattern(t testing.TB, text string) policy.Pattern {
	t.Helper()
	p, err := policy.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPatternMatch(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, path string
		public, fold  bool
	}{
		"a path selects itself":                         {"/healthz", "/healthz", true, true},
		"a path selects nothing below it":               {"/healthz", "/healthz/x", false, false},
		"a path does not select a longer name":          {"/admin", "/adminx", false, false},
		"another case opens nothing, but closes":        {"/admin", "/ADMIN", false, true},
		"a trailing slash opens nothing, but closes":    {"/admin", "/admin/", false, true},
		"a trailing dot opens nothing, but closes":      {"/admin", "/admin.", false, true},
		"a trailing space opens nothing, but closes":    {"/admin", "/admin ", false, true},
		"the long s opens nothing, but closes":          {"/users", "/uſers", false, true},
		"the Kelvin sign opens nothing, but closes":     {"/keys", "/\u212Aeys", false, true},
		"a slash in the pattern counts where it opens":  {"/docs/", "/docs", false, true},
		"below selects what is below":                   {"/docs/*", "/docs/a/b", true, true},
		"below selects the folder with its slash":       {"/docs/*", "/docs/", true, true},
		"below does not open the folder itself":         {"/docs/*", "/docs", false, true},
		"below does not select a longer name":           {"/admin/*", "/admin-backup/x", false, false},
		"below does not select a name with an ending":   {"/admin/*", "/admin.json", false, false},
		"below does not select what is above":           {"/a/b/*", "/a", false, false},
		"below selects another case where it closes":    {"/admin/*", "/Admin/Users", false, true},
		"below selects a dotted segment if it closes":   {"/admin/*", "/admin./users", false, true},
		"below the root is all":                         {"/*", "/x/y", true, true},
		"below the root is the root":                    {"/*", "/", true, true},
		"below the root closes the star of OPTIONS":     {"/*", "*", false, true},
		"the root selects the root only":                {"/", "/x", false, false},
		"the root selects itself":                       {"/", "/", true, true},
		"an ending selects names with it":               {"*.css", "/a/b.css", true, true},
		"an ending selects no other":                    {"*.css", "/a/b.cssx", false, false},
		"an ending in another case closes only":         {"*.php", "/x.PHP", false, true},
		"an ending before more path closes only":        {"*.php", "/x.php/more", false, true},
		"an ending with a dot after it closes only":     {"*.php", "/x.php.", false, true},
		"an ending with a fold of another width closes": {"*.task", "/x.ta\u017F\u212A", false, true},
		"a pattern without case selects the same":       {"/日本/*", "/日本/x", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := pattern(t, c.pattern)
			if got := p.Match(c.path); got != c.public {
				t.Errorf("%s.Match(%q) = %v", p, c.path, got)
			}
			if got := p.MatchFold(c.path); got != c.fold {
				t.Errorf("%s.MatchFold(%q) = %v", p, c.path, got)
			}
		})
	}
}

func TestParsePatternRefusesWithTheReason(t *testing.T) {
	for name, c := range map[string]struct{ text, reason string }{
		"nothing":                        {"", "begins with a slash"},
		"no slash":                       {"admin", "begins with a slash"},
		"no slash before what is below":  {"admin/*", "begins with a slash"},
		"a star alone":                   {"*", "stands alone"},
		"a star within a segment":        {"/adm*", "stands alone"},
		"a star in the middle":           {"/a/*/b", "stands alone"},
		"two stars":                      {"/a/*/*", "stands alone"},
		"a substring":                    {"*admin*", "stands alone"},
		"a star in an ending":            {"*.c*s", "stands alone"},
		"a slash in an ending":           {"*.a/b", "ending"},
		"an ending that is no more":      {"*.", "ending"},
		"an ending that ends in a dot":   {"*.css.", "ending"},
		"an escape":                      {"/a%20b", "decoded"},
		"a dot segment":                  {"/a/../b", "two ways"},
		"an empty segment":               {"/a//b", "two ways"},
		"a path parameter":               {"/a;b", "two ways"},
		"a query":                        {"/a?b", "two ways"},
		"an empty segment below nothing": {"//*", "two ways"},
		"bytes that are not UTF-8":       {"/\xff", "two ways"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.ParsePattern(c.text)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("ParsePattern(%q): %v, want a word of %q", c.text, err, c.reason)
			}
		})
	}
}

func FuzzPattern(f *testing.F) {
	for _, text := range []string{"/a", "/a/*", "*.css", "/*", "/", "/ſ/*", "/a./b"} {
		f.Add(text, "/a/b.css")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		p, err := policy.ParsePattern(text)
		if err != nil {
			return
		}
		if p.String() != text {
			t.Errorf("%q prints as %q", text, p)
		}
		if p.Match(path) && !p.MatchFold(path) {
			t.Errorf("%q selects %q where it opens but not where it closes", text, path)
		}
		if !strings.HasSuffix(path, "/") && p.MatchFold(path) && !p.MatchFold(path+"/") {
			t.Errorf("%q closes %q but not with a slash", text, path)
		}
	})
}

func TestMatchingAllocatesNothing(t *testing.T) {
	patterns := []policy.Pattern{pattern(t, "/admin/*"), pattern(t, "*.css"), pattern(t, "/v1/things")}
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range patterns {
			_ = p.Match("/V1/things/x.y")
			p.MatchFold("/V1/things./x.y")
		}
	}); n != 0 {
		t.Errorf("matching costs %v allocations", n)
	}
}

func BenchmarkMatchFold(b *testing.B) {
	p := pattern(b, "/v1/admin/*")
	b.ReportAllocs()
	for b.Loop() {
		p.MatchFold("/v1/organisations/12")
	}
}
