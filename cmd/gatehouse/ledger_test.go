package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// verdict is what is known of a credential, or what a gateway says of it.
type verdict int

const (
	unsure verdict = iota // a request about it was not answered, or no verdict was given
	open
	shut
)

func (v verdict) String() string { return [...]string{"unsure", "open", "shut"}[v] }

// entry is one credential that a gateway has answered.
type entry struct {
	what, text string
	// state is what the answers say it must be.
	state verdict
	// until is when it has expired for sure; zero is after the test.
	until time.Time
	// ask presents it, without using it up.
	ask func(*caller) (verdict, answer)
}

// wants returns what a gateway that is asked from now on must say, unsure where
// that is not known.
func (e *entry) wants() verdict {
	if e.until.IsZero() || e.state == shut {
		return e.state
	}
	if time.Now().After(e.until) {
		return shut
	}
	return unsure
}

// ledger is what one client was answered. A request that was not answered leaves
// what it was about unsure, and unsure is never counted.
type ledger struct {
	entries []*entry
	fresh   []*entry // changed since the last look
	issued  int
	ended   int
}

// opened enters a new credential.
func (l *ledger) opened(e *entry) *entry {
	e.state = open
	l.issued++
	l.entries, l.fresh = append(l.entries, e), append(l.fresh, e)
	return e
}

// closed enters a credential that was answered to be used up from the start.
func (l *ledger) closed(e *entry) {
	e.state = shut
	l.ended++
	l.entries, l.fresh = append(l.entries, e), append(l.fresh, e)
}

// shuts says that what was open, or might have been, was answered to have ended.
func (l *ledger) shuts(entries ...*entry) {
	for _, e := range entries {
		if e.state == shut {
			continue
		}
		e.state = shut
		l.ended++
		l.fresh = append(l.fresh, e)
	}
}

// doubts says that a request may end these; what has ended stays so.
func doubts(entries ...*entry) {
	for _, e := range entries {
		if e.state == open {
			e.state = unsure
		}
	}
}

// answer is what came of a request.
type answer struct {
	status int
	body   string
	err    error
}

// none reports that nobody knows what became of the request.
func (a answer) none() bool { return a.err != nil || a.status == http.StatusServiceUnavailable }

func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%d %s", a.status, a.body)
}

// member returns a text in the answer's JSON, "" where it is not there.
func (a answer) member(names ...string) string {
	var doc any
	if json.Unmarshal([]byte(a.body), &doc) != nil {
		return ""
	}
	for _, name := range names {
		object, _ := doc.(map[string]any)
		doc = object[name]
	}
	text, _ := doc.(string)
	return text
}

// caller sends requests to one gateway, one at a time.
type caller struct {
	base   string
	client http.Client
	// broken says that the last request was not answered.
	broken bool
}

func newCaller(g *gateway) *caller {
	return &caller{base: "http://127.0.0.1:" + g.port, client: http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 1},
		Timeout:   20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// do sends a request with the lines of a head, such as "apikey: x", and JSON, or
// a form where a line says so.
func (c *caller) do(method, path, body string, lines ...string) answer {
	a := c.send(method, path, body, lines)
	c.broken = a.err != nil
	return a
}

func (c *caller) send(method, path, body string, lines []string) answer {
	r, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	got, err := c.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	return answer{status: got.StatusCode, body: string(text), err: err}
}

// guarded presents a credential to the guard, which lets it through as who; ""
// is a key of no account.
func guarded(who, path string, lines ...string) func(*caller) (verdict, answer) {
	return func(c *caller) (verdict, answer) {
		a := c.do(http.MethodGet, path, "", lines...)
		if a.err == nil && a.status == http.StatusOK && (who == "" || a.body == "for "+who) {
			return open, a
		}
		if a.err == nil && a.status == http.StatusUnauthorized {
			return shut, a
		}
		return unsure, a
	}
}

// bearer presents a token in Authorization.
func bearer(who, token string) func(*caller) (verdict, answer) {
	return guarded(who, "/api", "Authorization: Bearer "+token)
}
