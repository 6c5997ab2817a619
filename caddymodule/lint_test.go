package caddymodule

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/gatehouse-auth/gatehouse/internal/lint"
)

// planted stands in the environment, and in no file.
const plantedVariable = "5e884898da28047151d0e56f8dc6292773603d0d"

// TestEveryRuleFindsWhatItIsFor: each has an archive with Caddyfiles that it
// finds something in and others that it does not, each followed by all that is
// found.
func TestEveryRuleFindsWhatItIsFor(t *testing.T) {
	t.Setenv("LINT_TEST_SECRET", plantedVariable)
	for _, rule := range lint.Rules {
		t.Run(rule.ID, func(t *testing.T) { lintArchive(t, rule, filepath.Join("testdata", "lint", rule.ID+".txtar")) })
	}
}

func lintArchive(t *testing.T, rule lint.Rule, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	result := &txtar.Archive{Comment: archive.Comment}
	seen := map[bool]bool{}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		file, want := archive.Files[i], archive.Files[i+1]
		got := lintText(t, file.Data)
		result.Files = append(result.Files, file, txtar.File{Name: want.Name, Data: got})
		bad := strings.HasPrefix(file.Name, "bad")
		seen[bad] = true
		if strings.Contains(string(got), rule.ID) != bad {
			t.Errorf("%s: found was\n%s", file.Name, got)
		}
		if !*update && !bytes.Equal(got, want.Data) {
			t.Errorf("%s: found was\n%s\nwant\n%s", file.Name, got, want.Data)
		}
	}
	if !seen[true] || !seen[false] {
		t.Error("there must be something bad and something good")
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(result), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// lintText returns what is found in a Caddyfile, a line each.
func lintText(t *testing.T, body []byte) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := findings(file, "")
	if err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	var out bytes.Buffer
	for _, f := range found {
		fmt.Fprintf(&out, "%s:%d %s %s: %s\n", filepath.Base(f.Place.File), f.Place.Line, f.Rule.Severity, f.Rule.ID, f.Message)
	}
	return out.Bytes()
}

func TestLintPrintsInThreeWaysAndEndsWithACode(t *testing.T) {
	ownStore(t)
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const head = "{\n\tlog {\n\t\tformat gatehouse\n\t}\n}\n"
	const secret = "9f86d081884c7d659a2feaa0c55ad015"
	write("Caddyfile", head+"api.example.com {\n\tgatehouse {\n\t\taccept bearer\n\t}\n\treverse_proxy 10.0.0.5:8080\n}\n")
	write("noted.Caddyfile", head+"api.example.com {\n\tgatehouse {\n\t\taccept bearer\n\t\tdebug\n\t}\n}\n")
	write("bad.Caddyfile", head+"api.example.com {\n\tgatehouse {\n\t\taccept bearer\n\t\tidentity {\n\t\t\theader X-Key "+secret+"\n\t\t}\n\t}\n}\n")
	write("broken.Caddyfile", "api.example.com {\n\tgatehouse {\n\t\tfrobnicate\n\t}\n}\n")
	write("ring.Caddyfile", "{\n\tgatehouse {\n\t\tstore sqlite {env.NOBODY_SET_THIS}\n\t\tkey_ring /nowhere/keys\n\t}\n}\n:80 {\n\trespond ok\n}\n")
	write("config.json", `{"apps": {"http": {"servers": {"a": {"listen": [":80"], "routes": [{"handle": [`+
		`{"handler": "gatehouse", "accept": [{"kind": "bearer"}], "mode": "observe"}]}]}}}}}`)
	for _, c := range []struct {
		words string
		code  int
		says  string
	}{
		{"lint", 0, "errors: 0, warnings: 0, notes: 0"},
		{"lint|noted.Caddyfile", 0, "noted.Caddyfile:9: note GH802: "},
		{"lint|noted.Caddyfile|--fail-on|note", 1, "errors: 0, warnings: 0, notes: 1"},
		{"lint|bad.Caddyfile", 1, "bad.Caddyfile:10: error GH601: "},
		{"lint|--config|bad.Caddyfile|--fail-on|error", 1, "GH601"},
		{"lint|bad.Caddyfile|--json", 1, `"id": "GH601"`},
		{"lint|bad.Caddyfile|--sarif", 1, `"ruleId": "GH601"`},
		{"lint|ring.Caddyfile", 0, "errors: 0"},
		{"lint|config.json", 1, "config.json: warning GH801: "},
		{"lint|config.json|--fail-on|error", 0, "GH801"},
	} {
		out, errs, code := typed(t, "", c.words)
		if code != c.code || !strings.Contains(out, c.says) || errs != "" {
			t.Errorf("%s: exit code %d\n%s%s", c.words, code, out, errs)
		}
		if strings.Contains(out, secret) {
			t.Errorf("%s prints the secret:\n%s", c.words, out)
		}
	}
	for _, c := range []typo{
		{"", "lint|a|b", "wrong number of arguments"},
		{"", "lint|broken.Caddyfile", `unknown word "frobnicate" in gatehouse`},
		{"", "lint|missing.Caddyfile", "the configuration cannot be read"},
		{"", "lint|--fail-on|bad", `"bad" is no severity`},
		{"", "lint|--json|--sarif", "exclude each other"},
		{"", "lint|--frobnicate", "unknown flag"},
	} {
		if out, errs, code := typed(t, "", c.words); code != exitUsage || !strings.Contains(errs, c.says) || out != "" {
			t.Errorf("%s: exit code %d\n%s%s", c.words, code, out, errs)
		}
	}
	if files, _ := filepath.Glob("caddy/*"); len(files) != 0 || !poolIsEmpty() {
		t.Errorf("it left %v", files)
	}
}

// TestOurOwnCaddyfilesAreWithoutErrors, as are those that others start from.
func TestOurOwnCaddyfilesAreWithoutErrors(t *testing.T) {
	paths, err := filepath.Glob("../examples/*/Caddyfile")
	if err != nil || len(paths) < 5 {
		t.Fatal(paths, err)
	}
	for _, path := range append(paths, "../Caddyfile") {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			found, err := findings(path, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				if f.Rule.Severity == lint.Error {
					t.Errorf("%s:%d %s: %s", f.Place.File, f.Place.Line, f.Rule.ID, f.Message)
				}
			}
		})
	}
}

// TestThePageNamesEveryRule, and says of each what the program says.
func TestThePageNamesEveryRule(t *testing.T) {
	text, err := os.ReadFile("../docs/lint.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(text)), " ")
	for _, r := range lint.Rules {
		for _, want := range []string{"### " + r.ID + " ", "`" + r.Name + "`, " + r.Severity.String(), r.Why, r.Remedy} {
			if !strings.Contains(page, want) {
				t.Errorf("docs/lint.md does not say %q", want)
			}
		}
	}
	for _, doc := range []any{lintJSON{}, findingJSON{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(doc)) {
			if name := f.Tag.Get("json"); !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/lint.md does not name the member %s", name)
			}
		}
	}
}
