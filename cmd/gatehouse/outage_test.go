package main

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the gateways of these tests are configured with: how long a cached
// verdict counts while its feed is silent, and how much longer while the store is
// out of reach.
const (
	outageStaleness = time.Second
	outageGrace     = time.Second
	outageLimit     = outageStaleness + outageGrace
	// outageLasts is how long a store is away.
	outageLasts = outageLimit + 700*time.Millisecond
	// outagePatience is what a test insists on for every answer. The promise
	// is a second, on a machine that does nothing else.
	outagePatience = 3 * time.Second
)

// outage is a way for a store to be away.
type outage struct {
	name       string
	begin, end func()
	// reads says that what is there can be read all the time, keys that API
	// keys can.
	reads, keys bool
}

// known reports whether what a line presents can be looked up all the time.
func (o outage) known(line string) bool {
	return o.reads || o.keys && strings.HasPrefix(line, "x-api-key: ")
}

// place is a gateway with a store that can be away, and what it has given out.
type place struct {
	*testing.T
	*node
	key keyPair
	// good are cached, fresh was never presented, bad must never pass.
	good, bad []string
	fresh     string
	// spare are good tokens, to be revoked.
	spare []string
	// given were answered while the store was away; ended were answered to be
	// revoked then.
	given, ended []string
}

func newPlace(t *testing.T, storage string) *place {
	t.Helper()
	p := &place{T: t, node: newNode(t, storage+"\n\t\tmax_staleness "+outageStaleness.String()+"\n\t\tgrace "+outageGrace.String())}
	p.start("run")
	p.imported("", [2]string{"ann", "user"})
	p.key = p.node.key("ann")
	p.login("ann") // which replaces the cheap hash
	revoked, expired := p.grant(p.key), p.brief()
	p.passes(bearerLine(revoked))
	_ = p.present(bearerLine(expired)) // which caches it
	if r := p.revoke(p.key, revoked); r.status != http.StatusOK {
		t.Fatal(r)
	}
	p.eventually("it expires", func() bool { return !p.present(bearerLine(expired)).passed() })
	p.bad = []string{bearerLine(revoked), bearerLine(expired), bearerLine("ght_unknown"), "x-api-key: api_unknown"}
	p.good = []string{bearerLine(p.grant(p.key)), bearerLine(p.grant(p.key)), "x-api-key: " + p.key.secret}
	return p
}

// brief is a token that lives for a second.
func (p *place) brief() string {
	p.Helper()
	return p.insist("a brief token", func() (string, reply) { return p.tryGrantAt("/quick", p.key) })
}

// seen is what was answered while a store was away.
type seen struct {
	good, fresh, short, bad, grants, revokes, logins []reply
	// shortEnds is when what is asked for in short has expired.
	shortEnds time.Time
	health    []string
	probes    []reply
}

// each does something again and again until stop is closed.
func each(stop <-chan struct{}, do func()) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		do()
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// during asks for everything at once until stop is closed.
func (p *place) during(stop <-chan struct{}, short string) *seen {
	s := &seen{}
	var all sync.WaitGroup
	var giving sync.Mutex // two of them are given tokens
	give := func(token string) {
		giving.Lock()
		defer giving.Unlock()
		if token != "" {
			p.given = append(p.given, token)
		}
	}
	all.Go(func() { each(stop, func() { s.good = append(s.good, p.present(p.good[len(s.good)%len(p.good)])) }) })
	all.Go(func() { each(stop, func() { s.fresh = append(s.fresh, p.present(p.fresh)) }) })
	all.Go(func() { each(stop, func() { s.short = append(s.short, p.present(short)) }) })
	all.Go(func() { each(stop, func() { s.bad = append(s.bad, p.present(p.bad[len(s.bad)%len(p.bad)])) }) })
	all.Go(func() {
		each(stop, func() {
			token, r := p.tryGrant(p.key)
			give(token)
			s.grants = append(s.grants, r)
		})
	})
	all.Go(func() {
		each(stop, func() {
			token := p.spare[len(s.revokes)%len(p.spare)]
			r := p.revoke(p.key, token)
			if r.status == http.StatusOK {
				p.ended = append(p.ended, token)
			}
			s.revokes = append(s.revokes, r)
		})
	})
	all.Go(func() {
		each(stop, func() {
			status, r := p.health()
			s.health, s.probes = append(s.health, status), append(s.probes, r)
		})
	})
	all.Go(func() {
		token, r := p.tryLogin("ann", clientPassword)
		give(token)
		s.logins = append(s.logins, r)
	})
	all.Wait()
	return s
}

// away has the store away for a while and looks at all that is answered
// meanwhile and afterwards.
func (p *place) away(o outage) {
	p.Helper()
	p.given, p.ended, p.spare = nil, nil, nil
	for range 10 {
		p.spare = append(p.spare, p.grant(p.key))
	}
	p.passes(p.good...)
	p.fresh = bearerLine(p.grant(p.key))
	short := p.brief()
	shortEnds := time.Now().Add(time.Second)
	_ = p.present(bearerLine(short)) // which caches it
	beginning, before := time.Now(), len(p.output())
	o.begin()
	var once sync.Once
	end := func() { once.Do(o.end) }
	defer end()
	if o.name == laterSchema {
		p.eventually("it is noticed", func() bool { status, _ := p.health(); return status != "ok" })
	}
	began := time.Now()
	stop := make(chan struct{})
	time.AfterFunc(outageLasts, func() { close(stop) })
	s := p.during(stop, bearerLine(short))
	s.shortEnds = shortEnds
	end()
	mended := time.Now()
	p.judge(o, s, began)
	p.judgeHealth(o, s, began, began.Sub(beginning))
	p.judgeLog(p.output()[before:])
	p.recovers(mended)
}

// judge looks at what was answered while the store was away.
func (p *place) judge(o outage, s *seen, began time.Time) {
	p.Helper()
	over := began.Add(outageLimit)
	missed := 0 // on a machine that does many other things
	for _, r := range s.good {
		known := o.known(r.line)
		if !r.passed() && !unavailable(r) || r.passed() && !known && r.sent.After(over) {
			p.Errorf("a good credential is answered %v, %v after the store was lost", r, r.sent.Sub(began))
		}
		if known && !r.passed() {
			missed++
		}
	}
	for _, r := range s.fresh {
		if !r.passed() && !unavailable(r) || r.passed() && !o.reads {
			p.Errorf("a good credential that was never seen is answered %v", r)
		}
		if o.reads && !r.passed() {
			missed++
		}
	}
	if all := len(s.good) + len(s.fresh); missed > all/10 {
		p.Errorf("%d of %d are refused although they can be looked up", missed, all)
	}
	for _, r := range s.short {
		if r.passed() && r.sent.After(s.shortEnds) || !r.passed() && !unavailable(r) && r.got.Before(s.shortEnds.Add(-200*time.Millisecond)) {
			p.Errorf("a token that expires is answered %v, %v after its end", r, r.sent.Sub(s.shortEnds))
		}
	}
	for _, r := range s.bad {
		if r.status != http.StatusUnauthorized && !unavailable(r) || r.status == http.StatusUnauthorized && !o.known(r.line) && r.sent.After(over) {
			p.Errorf("a bad credential is answered %v", r)
		}
	}
	for _, r := range slices.Concat(s.grants, s.revokes, s.logins) {
		if r.status != http.StatusOK && !unavailable(r) {
			p.Errorf("a login or revocation is answered %v", r)
		}
	}
	p.inTime(slices.Concat(s.good, s.fresh, s.short, s.bad, s.grants, s.revokes, s.logins))
}

// unavailable reports whether an answer is the one that is due to those who
// cannot be served.
func unavailable(r reply) bool {
	return r.err == nil && r.status == http.StatusServiceUnavailable && r.retry != ""
}

// inTime logs how long it took to answer 503.
func (p *place) inTime(all []reply) {
	p.Helper()
	var took []time.Duration
	for _, r := range all {
		if r.took() > outagePatience {
			p.Errorf("after %v the answer is %v", r.took(), r)
		}
		if unavailable(r) {
			took = append(took, r.took())
		}
	}
	p.Logf("of %d answers 503: %s", len(all), figures(took))
}

// judgeLog counts the lines that say that the store is gone: there is one at
// most, or a few on a machine that does many other things, and not one for each
// request.
func (p *place) judgeLog(lines string) {
	p.Helper()
	if n := strings.Count(lines, "the store is lost and will be looked for"); n > 3 {
		p.Errorf("%d lines say that the store is lost", n)
	}
}

// judgeHealth looks at what a load balancer was told, and when.
// A store that took its time to go was noticed before.
func (p *place) judgeHealth(o outage, s *seen, began time.Time, took time.Duration) {
	p.Helper()
	told := map[string]time.Duration{}
	downs := 0 // which a machine that does many other things is for a moment
	for i, status := range s.health {
		r := s.probes[i]
		if _, before := told[status]; !before {
			told[status] = r.sent.Sub(began).Round(time.Millisecond)
		}
		if status == "down" {
			downs++
		}
		late := r.sent.Sub(began) > outageLimit
		if r.err != nil || status == "" || (status == "down") != (r.status == http.StatusServiceUnavailable) ||
			!o.reads && !o.keys && late && status != "down" || o.keys && late && !o.reads && status == "ok" {
			p.Errorf("%v after the store was lost health is %q: %v", r.sent.Sub(began), status, r)
		}
	}
	p.Logf("health: %v", told)
	if (o.reads || o.keys) && downs > len(s.health)/10 {
		p.Errorf("%d of %d times health was down although there are callers who can be served", downs, len(s.health))
	}
	if _, degraded := told["degraded"]; !degraded && !o.reads && took < outageGrace/4 {
		p.Errorf("health was never degraded: %v", told)
	}
}

// recovers waits until all is as before, and looks at what was answered to have
// been done.
func (p *place) recovers(mended time.Time) {
	p.Helper()
	p.passes(append(p.good, p.fresh)...)
	p.eventually("there are tokens again", func() bool {
		token, r := p.tryGrant(p.key)
		if token == "" && !unavailable(r) {
			p.Fatalf("a login is answered %v", r)
		}
		return token != ""
	})
	p.healthy()
	p.Logf("as before after %v; %d tokens and %d revocations were answered", time.Since(mended).Round(time.Millisecond), len(p.given), len(p.ended))
	for _, token := range p.given {
		p.passes(bearerLine(token))
	}
	for _, token := range p.ended {
		p.refuses(bearerLine(token))
	}
	for _, line := range p.bad {
		p.refuses(line)
	}
}

// suffer has each outage come and go.
func (p *place) suffer(all []outage) {
	t := p.T
	for _, o := range all {
		t.Run(o.name, func(t *testing.T) {
			p.T, p.t = t, t
			p.away(o)
		})
	}
	p.T, p.t = t, t
}
