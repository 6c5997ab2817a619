package dialecttest

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Build makes what answers one exchange from the texts of the sections
// options and outcome.
type Build func(t testing.TB, options, outcome string) http.Handler

// Replay runs every transcript below testdata and compares the responses, or
// writes them with -update. Each exchange has a handler of its own.
func Replay(t *testing.T, build Build) {
	for _, path := range Files(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			replay(t, path, build)
		})
	}
}

func replay(t *testing.T, path string, build Build) {
	tr := Load(t, path)
	for i := range tr.Exchanges {
		e := &tr.Exchanges[i]
		t.Run(e.Name, func(t *testing.T) {
			got := e.Do(t, build(t, tr.Options, e.Outcome))
			if *update {
				e.Response = got
			}
			if got != e.Response {
				t.Errorf("response:\n%s\nwant:\n%s", got, e.Response)
			}
			if strings.Contains(got, errHidden.Error()) {
				t.Errorf("the response shows the cause of a failure:\n%s", got)
			}
		})
	}
	if *update {
		if err := os.WriteFile(path, format(tr), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Do sends the exchange's request to h and returns the response in the form
// of a transcript.
func (e Exchange) Do(t testing.TB, h http.Handler) string {
	t.Helper()
	wire, err := e.bytes()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		t.Fatalf("the request does not parse: %v", err)
	}
	r.RemoteAddr = "192.0.2.1:4711"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return dump(w, r.Method)
}

// dump writes a response as a transcript shows it. A body that ends without
// LF, as most do, gets one, and so does every other, so that none is lost.
func dump(w *httptest.ResponseRecorder, method string) string {
	var b strings.Builder
	res := w.Result()
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\n", res.StatusCode, http.StatusText(res.StatusCode))
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		for _, v := range res.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	b.WriteString("\n")
	// A server leaves the body of an answer to HEAD out.
	if body := w.Body.String(); body != "" && method != http.MethodHead {
		b.WriteString(body + "\n")
	}
	return b.String()
}
