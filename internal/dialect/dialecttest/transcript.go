// Package dialecttest replays golden HTTP transcripts against a dialect: a
// file says what is configured, what the service behind the dialect answers,
// the request byte for byte and the response byte for byte.
//
// A transcript is a txtar archive. Its sections, in order:
//
//	options          the configuration of all exchanges, as the test reads it
//	outcome          what the fake service does in the next exchange
//	request: <name>  the request; lines end in LF, the body is what follows
//	                 the empty line, without the last LF
//	body             optional: the body as a Go string literal, for bytes
//	                 that a text file cannot hold
//	response         status line, fields in order of name, empty line, body
//
// `go test -update` rewrites the responses.
package dialecttest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the responses of golden transcripts")

// Transcript is a file of exchanges.
type Transcript struct {
	// Comment says what the file is about.
	Comment string
	// Options is the text of that section, "" without one.
	Options   string
	Exchanges []Exchange
}

// Exchange is one request and its response.
type Exchange struct {
	// Name is a sentence about what is shown.
	Name string
	// Outcome is the text of that section, "" without one.
	Outcome string
	// Request is the head with LF line ends, and the body unless Body is set.
	Request string
	// Body is the text of that section, a Go string literal.
	Body string
	// Response is what is expected.
	Response string
}

// Load reads a transcript.
func Load(t testing.TB, path string) Transcript {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := parse(txtar.Parse(data))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return tr
}

// Files returns the transcripts below testdata, at least one.
func Files(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts below testdata: %v", err)
	}
	return paths
}

func parse(a *txtar.Archive) (Transcript, error) {
	tr := Transcript{Comment: string(a.Comment)}
	var next Exchange
	for _, f := range a.Files {
		text := string(f.Data)
		name, isRequest := strings.CutPrefix(f.Name, "request: ")
		switch {
		case f.Name == "options":
			tr.Options = text
		case f.Name == "outcome":
			next.Outcome = text
		case isRequest:
			next.Name, next.Request = name, text
		case f.Name == "body":
			next.Body = text
		case f.Name == "response" && next.Request != "":
			next.Response = text
			tr.Exchanges = append(tr.Exchanges, next)
			next = Exchange{}
		default:
			return Transcript{}, fmt.Errorf("section %q has no place here", f.Name)
		}
	}
	if next != (Exchange{}) {
		return Transcript{}, fmt.Errorf("the last exchange has no response")
	}
	return tr, nil
}

// format is the inverse of parse.
func format(tr Transcript) []byte {
	a := &txtar.Archive{Comment: []byte(tr.Comment)}
	add := func(name, text string) { a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)}) }
	if tr.Options != "" {
		add("options", tr.Options)
	}
	for _, e := range tr.Exchanges {
		if e.Outcome != "" {
			add("outcome", e.Outcome)
		}
		add("request: "+e.Name, e.Request)
		if e.Body != "" {
			add("body", e.Body)
		}
		add("response", e.Response)
	}
	return txtar.Format(a)
}

// bytes returns the exchange's request as it stands on the wire.
func (e Exchange) bytes() ([]byte, error) {
	head, body, _ := strings.Cut(e.Request, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	if e.Body != "" {
		literal, err := strconv.Unquote(strings.TrimSpace(e.Body))
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		body = literal
	}
	head = strings.TrimSuffix(head, "\n")
	var b bytes.Buffer
	b.WriteString(strings.ReplaceAll(head, "\n", "\r\n"))
	if body != "" && !strings.Contains(strings.ToLower(head), "\ncontent-length:") {
		fmt.Fprintf(&b, "\r\nContent-Length: %d", len(body))
	}
	b.WriteString("\r\n\r\n" + body)
	return b.Bytes(), nil
}
