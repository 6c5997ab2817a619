package lint

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestOnePatternIsWithinAnother(t *testing.T) {
	for _, c := range []struct {
		narrow, wide string
		want         bool
	}{
		{"/docs", "/docs", true},
		{"/Docs", "/docs", true},
		{"/docs", "/docs/*", true}, // as require has it
		{"/docs/", "/docs/*", true},
		{"/docs/a", "/docs/*", true},
		{"/docs/a/*", "/docs/*", true},
		{"/docs/*", "/docs/a/*", false},
		{"/docs/*", "/docs", false},
		{"/docserver", "/docs/*", false},
		{"/docs/*", "/*", true},
		{"*.css", "/*", true},
		{"*.css", "/docs/*", false},
		{"/docs/a.css", "*.css", true},
		{"/docs/*", "*.css", false},
		{"*.min.css", "*.css", true},
	} {
		if got := within(c.narrow, c.wide); got != c.want {
			t.Errorf("%s within %s: %v", c.narrow, c.wide, got)
		}
	}
}

func TestWhatLooksLikeASecret(t *testing.T) {
	for text, want := range map[string]bool{
		"9f86d081884c7d659a2feaa0c55ad015":                true,
		"Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZg==":        true,
		"Bearer 9f86d081884c7d659a2feaa0c55ad015":         true,
		"postgres://gate:hunter2@db/gatehouse":            true,
		"redis://:hunter2@cache:6379/0":                   true,
		"host=db user=gate password=hunter2":              true,
		"-----BEGIN PRIVATE KEY-----":                     true,
		"prefix-{env.A}-9f86d081884c7d659a2feaa0c55ad015": true,
		"":                   false,
		"{env.DATABASE_URL}": false,
		"{file./run/secrets/9f86d081884c7d659a2feaa0c55ad015}":    false,
		"postgres://gate:{env.PASSWORD}@db/gatehouse":             false,
		"postgres://gate@db/gatehouse":                            false,
		"0b7e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a11":                    false,
		"/var/lib/gatehouse/gatehouse.db":                         false,
		"https://app.example.com":                                 false,
		"X-Internationalization-Accept":                           false,
		"internationalization":                                    false,
		"12345678901234567890":                                    false,
		"2024-01-01T00:00:00Z":                                    false,
		"{http.auth.user.username} of {http.request.uri.path.1}":  false,
		"a long sentence that nobody would take for a secret 123": false,
	} {
		if got := looksSecret(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// guarded walks routes and lists the proxies that no guard stands before.
func unguarded(routes []Route) []string {
	var all []string
	Walk(routes, func(h *Handler, guarded bool) {
		if strings.HasPrefix(h.Name, "proxy") && !guarded {
			all = append(all, h.Name)
		}
	})
	return all
}

func TestWhatAGuardStandsBefore(t *testing.T) {
	guard := Handler{Name: "guard", Guards: true}
	proxy := func(n string) Handler { return Handler{Name: "proxy " + n} }
	path := func(patterns string) []map[string]string { return []map[string]string{{"path": patterns}} }
	both := []map[string]string{{"path": `["/a/*"]`}, {"method": `["PUT"]`}}
	for name, c := range map[string]struct {
		routes []Route
		want   []string
	}{
		"a guard in the route before": {[]Route{{Handlers: []Handler{guard}}, {Handlers: []Handler{proxy("1")}}}, nil},
		"a guard in the same route":   {[]Route{{Handlers: []Handler{proxy("0"), guard, proxy("1")}}}, []string{"proxy 0"}},
		"a guard in the route after":  {[]Route{{Handlers: []Handler{proxy("1")}}, {Handlers: []Handler{guard}}}, []string{"proxy 1"}},
		"a guard below":               {[]Route{{Handlers: []Handler{{Routes: []Route{{Handlers: []Handler{guard}}}}, proxy("1")}}}, nil},
		"a guard above":               {[]Route{{Handlers: []Handler{guard, {Routes: []Route{{Match: path(`["/a"]`), Handlers: []Handler{proxy("1")}}}}}}}, nil},
		"a guard behind a matcher": {
			[]Route{{Match: path(`["/a/*"]`), Handlers: []Handler{guard}}, {Handlers: []Handler{proxy("1")}}}, []string{"proxy 1"},
		},
		"the same matcher": {
			[]Route{{Match: path(`["/a/*"]`), Handlers: []Handler{guard}}, {Match: path(`["/a/*"]`), Handlers: []Handler{proxy("1")}}}, nil,
		},
		"a narrower path": {
			[]Route{{Match: path(`["/a/*","/b/*"]`), Handlers: []Handler{guard}}, {Match: path(`["/b/c"]`), Handlers: []Handler{proxy("1")}}}, nil,
		},
		"a wider path": {
			[]Route{{Match: path(`["/a/*"]`), Handlers: []Handler{guard}}, {Match: path(`["/a*"]`), Handlers: []Handler{proxy("1")}}}, []string{"proxy 1"},
		},
		"one path of two": {
			[]Route{{Match: path(`["/a/*"]`), Handlers: []Handler{guard}}, {Match: path(`["/a/b","/c"]`), Handlers: []Handler{proxy("1")}}},
			[]string{"proxy 1"},
		},
		"one alternative of two": {
			[]Route{{Match: path(`["/a/*"]`), Handlers: []Handler{guard}}, {Match: both, Handlers: []Handler{proxy("1")}}}, []string{"proxy 1"},
		},
		"a matcher more": {
			[]Route{
				{Match: path(`["/a/*"]`), Handlers: []Handler{guard}},
				{Match: []map[string]string{{"path": `["/a/*"]`, "method": `["PUT"]`}}, Handlers: []Handler{proxy("1")}},
			}, nil,
		},
		"a matcher less": {
			[]Route{
				{Match: []map[string]string{{"path": `["/a/*"]`, "method": `["PUT"]`}}, Handlers: []Handler{guard}},
				{Match: path(`["/a/*"]`), Handlers: []Handler{proxy("1")}},
			}, []string{"proxy 1"},
		},
		"a pattern that is more than a prefix": {
			[]Route{{Match: path(`["/a*b*"]`), Handlers: []Handler{guard}}, {Match: path(`["/a*b"]`), Handlers: []Handler{proxy("1")}}}, []string{"proxy 1"},
		},
		"a group whose last route guards": {
			[]Route{
				{Group: "g", Match: path(`["/a"]`), Handlers: []Handler{{Name: "rewrite"}}},
				{Group: "g", Handlers: []Handler{guard}},
				{Handlers: []Handler{proxy("1")}},
			}, []string{"proxy 1"},
		},
		"a group whose routes all guard": {
			[]Route{
				{Group: "g", Match: path(`["/a"]`), Handlers: []Handler{guard}},
				{Group: "g", Handlers: []Handler{guard}},
				{Handlers: []Handler{proxy("1")}},
			}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := unguarded(c.routes); !slices.Equal(got, c.want) {
				t.Errorf("unguarded are %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheTableOfRulesIsInOrder(t *testing.T) {
	id, name := regexp.MustCompile(`^GH[1-9]\d\d$`), regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	last := ""
	for _, r := range Rules {
		if !id.MatchString(r.ID) || !name.MatchString(r.Name) || r.ID <= last || r.check == nil {
			t.Errorf("%s %s is not in order", r.ID, r.Name)
		}
		if !strings.HasSuffix(r.Why, ".") || !strings.HasSuffix(r.Remedy, ".") {
			t.Errorf("%s does not say why or what to do in sentences", r.ID)
		}
		last = r.ID
	}
}

// TestSARIFHasWhatItMust by the standard (sections 3.13, 3.14, 3.19, 3.27 to
// 3.30) and by those who read it.
func TestSARIFHasWhatItMust(t *testing.T) {
	text, err := json.Marshal(NewSARIF([]Finding{
		{Rule: &Rules[0], Place: Place{"deploy/my Caddyfile", 7}, Message: "one"},
		{Rule: &Rules[len(Rules)-1], Place: Place{File: "/etc/caddy/Caddyfile"}, Message: "two"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	at := func(path string) string {
		v := doc
		for part := range strings.SplitSeq(path, ".") {
			var i int
			if list, ok := v.([]any); ok {
				if _, err := fmt.Sscan(part, &i); err != nil || i >= len(list) {
					return ""
				}
				v = list[i]
				continue
			}
			object, _ := v.(map[string]any)
			v = object[part]
		}
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	}
	last := fmt.Sprint(len(Rules) - 1)
	for path, want := range map[string]string{
		"version":                         "2.1.0",
		"$schema":                         "https://json.schemastore.org/sarif-2.1.0.json",
		"runs.0.tool.driver.name":         "gatehouse lint",
		"runs.0.tool.driver.rules.0.id":   "GH101",
		"runs.0.tool.driver.rules.0.name": Rules[0].Name,
		"runs.0.tool.driver.rules.0.shortDescription.text":                   Rules[0].Why,
		"runs.0.tool.driver.rules.0.help.text":                               Rules[0].Remedy,
		"runs.0.tool.driver.rules.0.helpUri":                                 project + "/blob/main/docs/lint.md#gh101-upstream-beside-guard",
		"runs.0.tool.driver.rules.0.defaultConfiguration.level":              "error",
		"runs.0.results.0.ruleId":                                            "GH101",
		"runs.0.results.0.ruleIndex":                                         "0",
		"runs.0.results.0.level":                                             "error",
		"runs.0.results.0.message.text":                                      "one. " + Rules[0].Remedy,
		"runs.0.results.0.locations.0.physicalLocation.artifactLocation.uri": "deploy/my%20Caddyfile",
		"runs.0.results.0.locations.0.physicalLocation.region.startLine":     "7",
		"runs.0.results.1.ruleIndex":                                         last,
		"runs.0.results.1.level":                                             Rules[len(Rules)-1].Severity.String(),
		"runs.0.results.1.locations.0.physicalLocation.artifactLocation.uri": "file:///etc/caddy/Caddyfile",
		"runs.0.results.1.locations.0.physicalLocation.region":               "",
		"runs.0.tool.driver.rules." + last + ".id":                           Rules[len(Rules)-1].ID,
	} {
		if got := at(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	empty, err := json.Marshal(NewSARIF(nil))
	if err != nil || !strings.Contains(string(empty), `"results":[]`) {
		t.Errorf("without findings: %s", empty)
	}
}
