package dialecttest

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"golang.org/x/tools/txtar"
)

const sample = `About this file.
-- options --
max_body 8
-- outcome --
login ok
-- request: a body of text --
POST /a HTTP/1.1
Host: example.com

{"a":1}
-- response --
HTTP/1.1 200 OK
A: 1

7 {"a":1}
-- request: a body of bytes --
POST /a HTTP/1.1
Host: example.com
-- body --
"\xff\n"
-- response --
HTTP/1.1 200 OK
A: 1

2 "\xff\n"
`

func TestFormatIsTheInverseOfParse(t *testing.T) {
	tr, err := parse(txtar.Parse([]byte(sample)))
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.Exchanges) != 2 || tr.Options != "max_body 8\n" || tr.Exchanges[0].Outcome != "login ok\n" || tr.Exchanges[1].Outcome != "" {
		t.Errorf("parsed %+v", tr)
	}
	if got := string(format(tr)); got != sample {
		t.Errorf("formatted:\n%s", got)
	}
}

func TestRequestsArriveByteForByte(t *testing.T) {
	tr, err := parse(txtar.Parse([]byte(sample)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`{"a":1}`, "\xff\n"} {
		var got []byte
		var length int64
		tr.Exchanges[i].Do(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got, _ = io.ReadAll(r.Body)
			length = r.ContentLength
		}))
		if string(got) != want || length != int64(len(want)) {
			t.Errorf("body %q of length %d, want %q", got, length, want)
		}
	}
}

func TestResponsesAreDumpedInOneWay(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Vary", "Accept")
		w.Header().Add("Allow", "GET")
		w.Header().Add("Vary", "Origin")
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprint(w, "short")
	})
	e := Exchange{Request: "GET / HTTP/1.1\nHost: a\n"}
	const head = "HTTP/1.1 418 I'm a teapot\nAllow: GET\nVary: Accept\nVary: Origin\n\n"
	if got := e.Do(t, h); got != head+"short\n" {
		t.Errorf("dumped %q", got)
	}
	e.Request = "HEAD / HTTP/1.1\nHost: a\n"
	if got := e.Do(t, h); got != head {
		t.Errorf("dumped %q for HEAD", got)
	}
}

func TestParseRefusesSectionsOutOfPlace(t *testing.T) {
	for _, text := range []string{
		"-- response --\n", "-- request: a --\nGET / HTTP/1.1\n", "-- outcome --\nx\n", "-- notes --\nx\n",
	} {
		if _, err := parse(txtar.Parse([]byte(text))); err == nil {
			t.Errorf("%q passed", text)
		}
	}
}
