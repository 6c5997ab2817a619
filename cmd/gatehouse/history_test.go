package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// fact is what is known of one token from the answers about it.
type fact struct {
	text string
	// doubted is when the first request was sent that may end it, ended when it
	// was first answered that it has ended; zero for never.
	doubted, ended time.Time
}

// history is what several clients were answered by several gateways, judged by
// the clock that all of them share: what was answered is true from that moment
// on, and everywhere once the bound is over.
type history struct {
	// bound is how long after its end a token may still pass.
	bound time.Duration
	// behind says that a balancer asks, which answers 502 where a gateway ended
	// an idle connection in the moment in which it was used: nobody knows then
	// whether the request was carried out.
	behind bool

	mu     sync.Mutex
	facts  []*fact
	wrong  []string
	counts map[string]int
}

func (h *history) complain(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

func (h *history) count(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[what]++
}

// issued enters a new token.
func (h *history) issued(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.facts = append(h.facts, &fact{text: text})
	h.counts["tokens"]++
}

// some returns a token, mostly one of the last, nil where there is none.
func (h *history) some(chance *rand.Rand) *fact {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.facts)
	if n == 0 {
		return nil
	}
	if chance.IntN(8) == 0 {
		return h.facts[chance.IntN(n)]
	}
	return h.facts[n-1-chance.IntN(min(n, 24))]
}

// doubt notes that a request is about to be sent that may end a token.
func (h *history) doubt(f *fact) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.doubted.IsZero() {
		f.doubted = time.Now()
	}
}

// end notes that a token was said to have ended.
func (h *history) end(f *fact, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.ended.IsZero() || at.Before(f.ended) {
		f.ended = at
	}
}

// revoked takes the answer to a revocation.
func (h *history) revoked(who string, f *fact, r reply) {
	switch {
	case r.err == nil && r.status == http.StatusOK:
		h.end(f, r.got)
		h.count("revocations")
	case h.cut(r):
		h.count("cut")
	case unavailable(r):
		h.count("unavailable")
	default:
		h.complain("%s: a revocation is answered %v", who, r)
	}
}

// cut reports whether the way of a request ended under it.
func (h *history) cut(r reply) bool {
	return h.behind && r.err == nil && r.status == http.StatusBadGateway
}

// presented takes the answer to a token.
func (h *history) presented(who string, f *fact, r reply) {
	h.mu.Lock()
	doubted, ended := f.doubted, f.ended
	h.mu.Unlock()
	switch {
	case r.passed():
		h.count("passed")
		if !ended.IsZero() && r.sent.After(ended.Add(h.bound)) {
			h.complain("%s: a token passes %v after its end", who, r.sent.Sub(ended))
		}
	case r.err == nil && r.status == http.StatusUnauthorized:
		h.count("refused")
		if doubted.IsZero() || doubted.After(r.got) {
			h.complain("%s: a good token is answered %v", who, r)
			h.doubt(f) // to complain once
		}
		h.end(f, r.got)
	case unavailable(r):
		h.count("unavailable")
	default:
		h.complain("%s: a token is answered %v", who, r)
	}
}

// verdict asks a gateway until it says whether a token is good, and takes it.
func (h *history) verdict(n *node, who string, f *fact) {
	n.eventually("there is a verdict", func() bool {
		r := n.present(bearerLine(f.text))
		h.presented(who, f, r)
		return !unavailable(r)
	})
}

// takeWrong returns what was wrong since it was last asked.
func (h *history) takeWrong() (wrong []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wrong, h.wrong = h.wrong, nil
	return wrong
}

// snapshot is all that was issued until now.
func (h *history) snapshot() []*fact {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.facts)
}

// tally is what was counted until now.
func (h *history) tally() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.counts)
}

// since is what was counted between two tallies.
func since(before, now map[string]int) map[string]int {
	for what := range now {
		now[what] -= before[what]
	}
	return now
}
