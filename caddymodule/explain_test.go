package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const explainedFile = `{
	admin off
}
http://localhost:18080 {
	log
	gatehouse {
		login management
		accept bearer api_key
		accept query Token
		insecure_http
		public /docs/*
		require /admin/* {
			role admin
		}
		require /users/* {
			subject {path.1}
		}
	}
	redir /moved /docs/x
	handle_path /old/* {
		reverse_proxy 127.0.0.1:9
	}
	@inner header X-Inner sesame-planted
	respond @inner "inner"
	reverse_proxy 127.0.0.1:8
}
http://localhost:18081 {
	gatehouse {
		accept bearer
		mode observe
	}
	reverse_proxy 127.0.0.1:9
}
http://localhost:18082 {
	basic_auth {
		bob ` + bobsHash + `
	}
	forward_auth 127.0.0.1:9 {
		uri /auth
	}
	encode
	file_server
}
`

// explainedWorld is a folder with a configuration and a store with ann, her
// token and her key; it returns both.
func explainedWorld(t *testing.T) (token, key string) {
	t.Helper()
	file := ownStore(t)
	if err := os.WriteFile("Caddyfile", []byte(explainedFile), 0o600); err != nil {
		t.Fatal(err)
	}
	carryOut := func(words, member string) string {
		out, errs, code := typed(t, "", words)
		var doc map[string]any
		if code != 0 || json.Unmarshal([]byte(out), &doc) != nil {
			t.Fatalf("%s: %d %s %s", words, code, out, errs)
		}
		text, _ := doc[member].(string)
		return text
	}
	carryOut("account|add|ann|--no-password|--json", "id")
	token = carryOut("token|create|--account|ann|--json", "token")
	key = carryOut("key|create|--account|ann|--json", "key")
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	return token, key
}

func TestExplainTellsHowARequestEnds(t *testing.T) {
	token, key := explainedWorld(t)
	bearer := "Authorization: Bearer " + token + "\n"
	for name, c := range map[string]struct {
		stdin, words string
		outcome      string
		status       int
		reason       string
		says         string // a step that must be there
	}{
		"nothing presented":       {"", "GET|http://localhost:18080/x", "refused", 401, "", "credential skipped"},
		"a good token":            {bearer, "GET|http://localhost:18080/x|--stdin", "forwarded", 0, "", "store ok"},
		"a good key":              {"x-api-key: " + key + "\n", "GET|http://localhost:18080/x|--stdin", "forwarded", 0, "", "verdict ok"},
		"a key as a token":        {"Authorization: Bearer " + key + "\n", "GET|http://localhost:18080/x|--stdin", "refused", 401, "unknown", "store skipped"},
		"a token in the query":    {"", "GET|http://localhost:18080/x?Token=" + token, "forwarded", 0, "", "verdict ok"},
		"a whole request":         {"GET http://localhost:18080/x?Token=" + token + " HTTP/1.1\r\nX-A: b\r\n\r\n", "", "forwarded", 0, "", "verdict ok"},
		"two tokens":              {bearer + bearer, "GET|http://localhost:18080/x|--stdin", "refused", 400, "duplicate", "credential refused"},
		"a path of two readings":  {bearer, "GET|http://localhost:18080/docs/..%2fadmin/x|--stdin", "refused", 400, "path", "path refused"},
		"a role":                  {bearer, "GET|http://localhost:18080/admin/x|--stdin", "refused", 403, "role", "require refused"},
		"a subject":               {bearer, "GET|http://localhost:18080/users/x|--stdin", "refused", 403, "subject", "require refused"},
		"a public path":           {"", "GET|http://localhost:18080/docs/x", "forwarded", 0, "", "public ok"},
		"a path that is stripped": {bearer, "GET|http://localhost:18080/old/x|--stdin", "forwarded", 0, "", "route ok"},
		"a redirection":           {bearer, "GET|http://localhost:18080/moved|--stdin", "answered", 302, "", "server ok"},
		"a matcher with a secret": {bearer + "X-Inner: sesame-planted\n", "GET|http://localhost:18080/x|--stdin", "answered", 200, "", "route ok"},
		"a login":                 {"", "POST|http://localhost:18080/v1/auth/login", "login", 0, "", "login answers"},
		"an observed refusal":     {"", "GET|http://localhost:18081/x", "observed", 0, "", "answer refused"},
		"a site without a guard":  {"Authorization: Basic Ym9iOmhpY2N1cA==\n", "GET|http://localhost:18082/x|--stdin", "forwarded", 0, "", "handler skipped"},
		"basic_auth says no":      {"", "GET|http://localhost:18082/x", "answered", 401, "", "server ok"},
	} {
		t.Run(name, func(t *testing.T) {
			words := strings.Trim("explain|--json|"+c.words, "|")
			out, errs, code := typed(t, c.stdin, words)
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			var doc explanationJSON
			if err := json.Unmarshal([]byte(out), &doc); err != nil {
				t.Fatal(err)
			}
			if v := doc.Verdict; v.Outcome != c.outcome || v.Status != c.status || v.Reason != c.reason {
				t.Errorf("the verdict is %+v", v)
			}
			found := false
			for _, s := range doc.Steps {
				found = found || s.Stage+" "+s.Outcome == c.says
			}
			if !found {
				t.Errorf("no step says %s: %s", c.says, out)
			}
			human, errs2, _ := typed(t, c.stdin, strings.Replace(words, "|--json", "", 1))
			for _, secret := range []string{token, key, "sesame"} {
				if strings.Contains(out+errs+human+errs2, secret) {
					t.Errorf("%s is printed:\n%s%s", secret, out, human)
				}
			}
			if !strings.Contains(human, "\n") || strings.Contains(human, "{\"") {
				t.Errorf("this is not for people: %s", human)
			}
		})
	}
}

// TestExplainChangesNothing in the store, nor makes one.
func TestExplainChangesNothing(t *testing.T) {
	_, key := explainedWorld(t)
	before, _, _ := typed(t, "", "key|list|--json")
	for range 2 {
		if _, errs, code := typed(t, "x-api-key: "+key+"\n", "explain|GET|http://localhost:18080/x|--stdin"); code != 0 {
			t.Fatal(errs)
		}
	}
	if after, _, _ := typed(t, "", "key|list|--json"); after != before || !strings.Contains(after, `"last_used":null`) {
		t.Errorf("the key was %s, is %s", before, after)
	}
	if !poolIsEmpty() {
		t.Error("a share of a runtime is held")
	}
	elsewhere := filepath.Join(t.TempDir(), "none.db")
	other := strings.Replace(explainedFile, "admin off", "admin off\n\tgatehouse {\n\t\tstore sqlite "+elsewhere+"\n\t}", 1)
	if err := os.WriteFile("other.Caddyfile", []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code := typed(t, "", "explain|--config|other.Caddyfile|GET|http://localhost:18080/x")
	if code != exitRefused || !strings.Contains(errs, "there is no store") {
		t.Errorf("%d %s", code, errs)
	}
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("a store was made")
	}
}

func TestExplainIsUsedWrongly(t *testing.T) {
	explainedWorld(t)
	for _, c := range []typo{
		{"", "explain|GET", "wrong number of arguments"},
		{"", "explain|GET|localhost/x", "the URL is not one"},
		{"", "explain|GET|ftp://localhost/x", "the URL is not one"},
		{"", "explain|GET|https://user:secret@localhost/x", "the URL is not one"},
		{"", "explain|GET|http://localhost:99/x", "no server listens on port 99"},
		{"", "explain|GET|https://localhost:18080/x", "speaks http"},
		{"", "explain|GET|http://localhost:18080/x|--address|here", "--address needs an address"},
		{"", "explain|GET|http://localhost:18080/x|--header|secret", "this is no HTTP request"},
		{"no header secret\n", "explain|GET|http://localhost:18080/x|--stdin", "this is no HTTP request"},
		{"", "explain", "this is no HTTP request"},
		{"", "explain|GET|http://localhost:18080/x|--adapter|caddyfile", "--adapter needs --config"},
		{"", "explain|GET|http://localhost:18080/x|--frobnicate", "unknown flag"},
	} {
		t.Run(c.words, func(t *testing.T) {
			out, errs, code := typed(t, c.stdin, c.words)
			if code != exitUsage || !strings.Contains(errs, c.says) || out != "" {
				t.Errorf("exit code %d: %s%s", code, out, errs)
			}
			if strings.Contains(errs, "secret") && !strings.Contains(c.words, "--header|secret") {
				t.Errorf("a secret is repeated: %s", errs)
			}
		})
	}
	if err := os.Remove("Caddyfile"); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := typed(t, "", "explain|GET|http://localhost/x"); code != exitUsage || !strings.Contains(errs, "there is no Caddyfile here") {
		t.Errorf("%d %s", code, errs)
	}
}
