package dialect

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNewCORSRefusesWhatNoBrowserSends(t *testing.T) {
	for _, origin := range []string{
		"null", "", "example.com", "https://", "https://example.com/", "https://example.com/a", "https://example.com?a", "https://example.com#a",
		"https://Example.com", "HTTPS://example.com", "https://example.com:443", "http://example.com:80", "https://example.com:", "https://u@example.com",
		"ftp://example.com", "https://*.example.com", "https://exa mple.com", "file://x",
	} {
		if _, err := NewCORS([]string{origin}); err == nil {
			t.Errorf("%q passed", origin)
		}
	}
	if _, err := NewCORS([]string{"https://a.example", "*"}); err == nil {
		t.Error("* passed beside another origin")
	}
}

func TestNewCORSTakesWhatBrowsersSend(t *testing.T) {
	for _, origin := range []string{"https://example.com", "http://localhost:3000", "http://127.0.0.1:8080", "https://[::1]:8443", "*"} {
		if _, err := NewCORS([]string{origin}); err != nil {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

func TestTheZeroCORSSetsNothing(t *testing.T) {
	r := httptest.NewRequest("OPTIONS", "/", nil)
	r.Header.Set("Origin", "https://example.com")
	r.Header.Set("Access-Control-Request-Method", "POST")
	w := httptest.NewRecorder()
	if (CORS{}).Answer(w, r, "POST") || len(w.Header()) != 0 {
		t.Errorf("fields %v", w.Header())
	}
}

func TestCredentialsAreNeverAllowed(t *testing.T) {
	for _, listed := range []string{"*", "https://example.com"} {
		c, err := NewCORS([]string{listed}, "Authorization")
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"OPTIONS", "POST"} {
			r := httptest.NewRequest(method, "/", nil)
			r.Header.Set("Origin", "https://example.com")
			r.Header.Set("Access-Control-Request-Method", "POST")
			w := httptest.NewRecorder()
			if got := c.Answer(w, r, "POST"); got != (method == "OPTIONS") {
				t.Errorf("%s answered: %v", method, got)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != listed {
				t.Errorf("%s allows %q, want %q", method, w.Header().Get("Access-Control-Allow-Origin"), listed)
			}
			if w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s allows credentials", method)
			}
		}
	}
}

// TestHostileOrigins tries variants of a listed origin, and those of a public
// scanner where the vectors are at hand.
func TestHostileOrigins(t *testing.T) {
	c, err := NewCORS([]string{"https://api.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range hostileOrigins(t) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		c.Answer(w, r, "POST")
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%q is allowed as %q", origin, got)
		}
		if w.Header().Get("Vary") != "Origin" {
			t.Errorf("the answer to %q does not vary", origin)
		}
	}
}

func hostileOrigins(t *testing.T) []string {
	t.Helper()
	list := []string{
		"null", "http://api.example.com", "https://api.example.com.evil.net", "https://evilapi.example.com", "https://api.example.com:444",
		"https://API.example.com", "https://api.example.com/", "https://apixexample.com", "https://evil.net", "https://x.api.example.com",
		"https://api.example.com https://evil.net", "https://api.example.com%60.evil.net", "https://api.example.com_.evil.net", " https://api.example.com",
	}
	dir := os.Getenv("GATEHOUSE_CORPORA")
	if dir == "" {
		t.Log("GATEHOUSE_CORPORA is not set: the scanner's origins are not replayed")
		return list
	}
	paths, err := filepath.Glob(filepath.Join(dir, "corscanner", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for word := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == '"' || r == '\n' }) {
			if strings.Contains(word, "://") {
				list = append(list, word)
			}
		}
	}
	return list
}
