package caddymodule

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// joseCorpus opens a file of third-party vectors, which are no part of the
// repository.
func joseCorpus(t *testing.T, path ...string) *os.File {
	t.Helper()
	root := os.Getenv("GATEHOUSE_CORPORA")
	if root == "" {
		t.Skip("NOT TESTED, for want of GATEHOUSE_CORPORA: third-party vectors as bearers")
	}
	f, err := os.Open(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// secretStep is which part of the known secrets goes through HTTP: one in so
// many. All of them are tried in package token.
const secretStep = 50

func TestJ22KnownSecretsSignNothing(t *testing.T) {
	lines := bufio.NewScanner(joseCorpus(t, "jwt-secrets", "jwt.secrets.list"))
	w := startJose(t)
	f := w.forger(token.UseToken, claimsFor[token.UseToken])
	all, tried := 0, 0
	for lines.Scan() {
		if all++; all%secretStep != 0 {
			continue
		}
		tried++
		text := f.plantedBy(jwt.SigningMethodHS256, lines.Bytes(), f.payload)
		w.refused(w.get("/x", bearerOf(text)), http.StatusUnauthorized)
	}
	if lines.Err() != nil || all < 100000 || tried < all/secretStep {
		t.Errorf("%d of %d secrets, %v", tried, all, lines.Err())
	}
	w.passed(w.get("/x", bearerOf(f.text)))
}

// A key ring is the only secret that an operator can configure. Each line is
// refused for what it is: a file that is no ring at all would prove nothing.
func TestJ22AKnownSecretIsNoKeyOfTheRing(t *testing.T) {
	w := startJose(t)
	path := filepath.Join(w.dir, "weak.keys")
	for name, c := range map[string]struct{ secret, why string }{
		"a key of a public list": {"16f8c0ef4a5d391b26034086c628469d3f9f497f08163ab9b40137092f2909ef", "weak.keys:2: this key is on public lists"},
		"one in capitals":        {"16F8C0EF4A5D391B26034086C628469D3F9F497F08163AB9B40137092F2909EF", "weak.keys:2: this key is on public lists"},
		"zeros":                  {strings.Repeat("0", 64), "weak.keys:2: this key repeats itself"},
		"a word":                 {"secret", "weak.keys:2: a key is 64 hex digits"},
		"64 letters":             {strings.Repeat("secret, ", 8), "weak.keys:2: a key is 64 hex digits"},
		"nothing":                {"", "at least one key"},
	} {
		w.run(name+" is refused", func(t *testing.T) {
			if err := os.WriteFile(path, []byte("gatehouse-key-ring 1\n"+c.secret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := caddy.Load(w.config(setting{gatehouse: "\n\t\tkey_ring " + path, sites: guardedSite(joseBlock)}), true)
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Fatalf("want %q: %v", c.why, err)
			}
			if len(c.secret) > 6 && strings.Contains(err.Error(), c.secret) {
				t.Error("the secret is quoted")
			}
		})
	}
}

// None of the vectors, valid or not, is a credential: neither of ours nor of an
// issuer that is trusted.
func TestJ00WycheproofVectorsAreNoCredentials(t *testing.T) {
	type vector struct {
		ID            int `json:"tcId"`
		JWS, JWE, JWT json.RawMessage
	}
	var files []struct {
		TestGroups []struct{ Tests []vector }
	}
	for _, name := range []string{"json_web_signature_test.json", "json_web_encryption_test.json", "json_web_crypto_test.json"} {
		files = append(files, struct {
			TestGroups []struct{ Tests []vector }
		}{})
		if err := json.NewDecoder(joseCorpus(t, "wycheproof", name)).Decode(&files[len(files)-1]); err != nil {
			t.Fatal(err)
		}
	}
	w := startOutside(t)
	seen := 0
	for _, file := range files {
		for _, g := range file.TestGroups {
			for _, v := range g.Tests {
				for _, raw := range []json.RawMessage{v.JWS, v.JWE, v.JWT} {
					if raw == nil {
						continue
					}
					text := string(raw)
					_ = json.Unmarshal(raw, &text) // an object stays as it is written
					seen++
					w.noVector(text)
				}
			}
		}
	}
	if seen < 475 {
		t.Errorf("only %d vectors", seen)
	}
}

// noVector sends a vector as a client would: without the bytes that no field of
// HTTP/1.1 can hold.
func (w *joseWorld) noVector(text string) {
	w.t.Helper()
	text = strings.NewReplacer("\n", "", "\r", "", "\x00", "").Replace(strings.TrimSpace(text))
	a := w.get("/x", bearerOf(text))
	if a.seen != nil || a.status/100 != 4 {
		w.t.Errorf("%.60s: %v", text, a)
	}
}
