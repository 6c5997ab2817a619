package caddymodule

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/tools/txtar"
)

// goodCaddyfiles are those of testdata that Caddy takes, by name.
func goodCaddyfiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("testdata/adapt/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	good := map[string]string{}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if name, ok := strings.CutSuffix(f.Name, ".caddyfile"); ok {
				if _, _, err := adapt(f.Data); err == nil {
					good[filepath.Base(path)+" "+name] = string(f.Data)
				}
			}
		}
	}
	return good
}

// breakages makes wrong lines of one that is right.
func breakages(line string) []string {
	words := strings.Fields(line)
	if len(words) == 0 || words[0] == "}" || words[0] == "{" {
		return nil
	}
	indent, open := line[:strings.Index(line, words[0])], ""
	if words[len(words)-1] == "{" {
		words, open = words[:len(words)-1], " {"
	}
	join := func(words ...string) string { return indent + strings.Join(words, " ") + open }
	broken := []string{line + "\n" + line, join(words[0]), join(append(words, "surplus", "-1")...), join("no_such_word", "x"), join(words...) + "\n" + indent + "}"}
	if open == "" {
		broken = append(broken, join(words...)+" {\n"+indent+"\tno_such_word 1\n"+indent+"}", join(words...)+" {\n"+indent+"}")
	}
	for at := 1; at < len(words); at++ {
		for _, wrong := range []string{
			`""`, "-1", "1e999", "9223372036854775808", "NaN", "true", "*", "/", "{", "{}", "{nobody.knows}", "@nobody", "-5s", "99999999999h",
			"\"a\\\"b\nc\"", "\u0000", "\xff\xfe", "http://[::1", "%zz", "../../etc/passwd", "é", strings.Repeat("x", 10_000),
		} {
			changed := append(append(append([]string{}, words[:at]...), wrong), words[at+1:]...)
			broken = append(broken, join(changed...))
		}
	}
	return broken
}

// atLine finds the place that an error about a Caddyfile has to name.
var atLine = regexp.MustCompile(`Caddyfile:\d+`)

// ofMatchers are errors of Caddy's own about named matchers, which come before
// any directive is read.
var ofMatchers = regexp.MustCompile(`unrecognized matcher name|getting matcher module`)

// TestO07ABrokenCaddyfileIsAnErrorWithItsLine, never a panic, and never a
// configuration that is one at the start: every line of every good example,
// broken in every way.
func TestO07ABrokenCaddyfileIsAnErrorWithItsLine(t *testing.T) {
	prepare(t)
	tried, refused, provisioned := 0, 0, 0
	for name, text := range goodCaddyfiles(t) {
		lines := strings.Split(text, "\n")
		for at := range lines {
			for _, broken := range breakages(lines[at]) {
				changed := append(append(append([]string{}, lines[:at]...), broken), lines[at+1:]...)
				tried++
				config, _, err := adapt([]byte(strings.Join(changed, "\n")))
				if err == nil {
					if tried%50 == 0 { // whatever comes of it must be provisioned or refused
						provisioned++
						provision(t, config)
					}
					continue
				}
				refused++
				if !atLine.MatchString(err.Error()) && strings.Contains(err.Error(), "gatehouse") && !ofMatchers.MatchString(err.Error()) {
					t.Errorf("%s, line %d as %.80q: no line in %.300s", name, at+1, broken, err)
				}
			}
		}
	}
	t.Logf("%d tried, %d refused, %d provisioned", tried, refused, provisioned)
	if refused < 1000 || provisioned < 10 {
		t.Error("that is too few to say anything")
	}
}

// provision builds a configuration and takes it down again; an error is fine.
func provision(t *testing.T, config []byte) {
	t.Helper()
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		t.Errorf("what was made of a Caddyfile is no configuration: %v", err)
		return
	}
	_ = caddy.Validate(&c)
}

// TestO07HugeListsAreReadOrRefusedAtOnce: an editor's mistake is no hang.
func TestO07HugeListsAreReadOrRefusedAtOnce(t *testing.T) {
	var paths, fields strings.Builder
	for i := range 400 {
		fmt.Fprintf(&paths, " /p%d/*", i)
		fmt.Fprintf(&fields, "\t\t\theader X-F%d {http.auth.user.id}\n", i)
	}
	for name, block := range map[string]string{
		"paths of public":    "accept bearer\n\t\tpublic" + paths.String(),
		"paths of require":   "accept bearer\n\t\trequire" + paths.String() + " {\n\t\t\trole admin\n\t\t}",
		"roles":              "accept bearer\n\t\trequire {\n\t\t\trole" + strings.ReplaceAll(strings.ReplaceAll(paths.String(), "/", ""), "*", "") + "\n\t\t}",
		"identity fields":    "accept bearer\n\t\tidentity {\n" + fields.String() + "\t\t}",
		"public lines":       "accept bearer\n" + strings.Repeat("\t\tpublic /x/*\n", 400),
		"braces":             "accept bearer\n" + strings.Repeat("\t\tlogin management {\n", 400),
		"one very long word": "accept bearer\n\t\tpublic /" + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, _, _ = adapt([]byte("http://x.test {\n\tgatehouse {\n\t\t" + block + "\n\t}\n}\n"))
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestO07ABrokenCaddyfileLeavesTheOldOneAtWork, with its sessions.
func TestO07ABrokenCaddyfileLeavesTheOldOneAtWork(t *testing.T) {
	w := start(t, "login management\npublic /open/*")
	w.ann()
	token := w.login(annName, annPassword)
	handle := w.runtime()
	broken := map[string]string{
		// Caddy finds it out when all else is at work already.
		"a port that is taken": guardedSite("login management") + "UPSTREAM {\n\tgatehouse {\n\t\taccept bearer\n\t}\n}\n",
	}
	for _, block := range []string{
		"login management\npublic", "login nobody", "accept", "accept bearer bearer", "require /admin/* {\n\trole\n}", "rate 0 1s", "realm \"a b\"",
		"login management {\n\tttl -5s\n}", "identity {\n}", "errors nobody", "mode maybe", "trust ftp://x {\n\taudience y\n}", "methods get",
	} {
		broken[block] = guardedSite(block)
	}
	for what, sites := range broken {
		config, _, err := adapt([]byte(w.fill(setting{sites: sites}.text())))
		if err == nil {
			err = caddy.Load(config, true)
		}
		if err == nil {
			t.Errorf("%q was loaded", what)
		}
		if w.find(); w.runtime() != handle {
			t.Fatalf("%q opened the store again", what)
		}
		w.passed(w.get("/x", bearerOf(token)))
		w.passed(w.get("/open/x"))
	}
}
