package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// stormSite has every way to log in, to refresh and to log out that there is.
const stormSite = `{
	auto_https off
	log {
		format gatehouse
		level WARN
	}
	gatehouse {
		%s
	}
}

http://:{$PORT} {
	bind 127.0.0.1
	gatehouse {
		login management {
			ttl 24h
		}
		login timed_login /timed {
			ttl 24h
		}
		login timed_login /brief {
			ttl 1s
		}
		login crm_token /crm {
			ttl 24h
			http_errors
		}
		login oauth2 {
			ttl 24h
		}
		login entity_token
		login login_token {
			ttl 24h
		}
		insecure_http
		errors problem
	}
	respond "for {http.auth.user.username}"
}
`

// stormEntity is the tenant of a storm's accounts, stormAdmin who manages the
// entity tokens of all.
const (
	stormEntity = "acme"
	stormAdmin  = "ann"
)

// credentials are what a storm logs in with.
type credentials struct {
	keyID, key string // of stormAdmin
	tenantKey  string
	userToken  string
}

// makeCredentials adds the accounts of a storm.
func makeCredentials(g *gateway, clients int) (c credentials) {
	g.t.Helper()
	g.made("id", "tenant", "add", stormEntity)
	accounts := [][2]string{{stormAdmin, "admin"}}
	for n := range clients {
		accounts = append(accounts, [2]string{stormUser(n), "user"})
	}
	g.imported(stormEntity, accounts...)
	const all = "read,write,delete,create"
	c.keyID, c.key = g.made("key", "key", "create", "--account", stormAdmin, "--permissions", all)
	_, c.tenantKey = g.made("key", "key", "create", "--tenant", stormEntity, "--permissions", all)
	_, c.userToken = g.made("token", "token", "create", "--account", stormAdmin, "--ttl", "48h")
	return c
}

func stormUser(n int) string { return fmt.Sprint("user", n) }

// stormer is one client of a storm: it sends one request after another, so that
// at most one is in doubt, and remembers all that it was answered.
type stormer struct {
	*caller
	credentials
	ledger
	user   string
	chance *rand.Rand

	// Those that can still be ended, by how that is done.
	sessions, released, links, jwts []*entry
	lines                           []*line
	entity                          *entry // nil for none
	entityUnsure                    bool

	// wrong is what was answered that must not be.
	wrong []string
}

// line is a client_credentials grant with all that was refreshed from it.
type line struct {
	access  []*entry
	refresh *entry // nil where nobody knows which is the last
	used    []*entry
}

func (l *line) all() []*entry {
	all := slices.Concat(l.access, l.used)
	if l.refresh != nil {
		all = append(all, l.refresh)
	}
	return all
}

// plays are what a client does, the more often the more weight it has.
var plays = []struct {
	weight int
	do     func(*stormer)
}{
	{1, (*stormer).login},
	{1, (*stormer).logout},
	{5, (*stormer).timedLogin},
	{2, (*stormer).briefLogin},
	{4, (*stormer).keyLogin},
	{3, (*stormer).release},
	{4, (*stormer).grant},
	{6, (*stormer).refresh},
	{2, (*stormer).revokeAccess},
	{1, (*stormer).revokeLine},
	{1, (*stormer).replay},
	{5, (*stormer).entityToken},
	{4, (*stormer).link},
	{3, (*stormer).redeem},
	{1, (*stormer).removeLink},
	{2, (*stormer).endJWT},
	{9, (*stormer).look},
}

var weights = func() (sum int) {
	for _, p := range plays {
		sum += p.weight
	}
	return sum
}()

// run plays until stop is closed or nobody answers any more.
func (s *stormer) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		n := s.chance.IntN(weights)
		for _, p := range plays {
			if n -= p.weight; n < 0 {
				p.do(s)
				break
			}
		}
		if s.broken {
			return
		}
	}
}

// unexpected enters an answer that must not be, unless it is none.
func (s *stormer) unexpected(what string, a answer) {
	if !a.none() {
		s.wrong = append(s.wrong, fmt.Sprintf("%s: answered %s", what, a))
	}
}

// take picks one at random and removes it from the list; nil where there is
// none, or where it is not known to be open.
func (s *stormer) take(list *[]*entry) *entry {
	if len(*list) == 0 {
		return nil
	}
	i := s.chance.IntN(len(*list))
	e := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	if e.state != open {
		return nil
	}
	return e
}

func (s *stormer) login() {
	a := s.do(http.MethodPost, "/v1/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, s.user, clientPassword))
	token := a.member("token")
	if a.status != http.StatusOK || a.err != nil || token == "" {
		s.unexpected("a login by password", a)
		return
	}
	s.sessions = append(s.sessions, s.opened(&entry{what: "a token of management", text: token, ask: bearer(s.user, token)}))
}

func (s *stormer) logout() {
	e := s.take(&s.sessions)
	if e == nil {
		return
	}
	s.ends(e, func() answer { return s.do(http.MethodPost, "/v1/auth/logout", "", "Authorization: Bearer "+e.text) })
}

// ends sends a request that ends a credential and enters what came of it.
func (s *stormer) ends(e *entry, send func() answer) {
	doubts(e)
	if a := send(); a.err != nil || a.status != http.StatusOK {
		s.unexpected("the end of "+e.what, a)
		return
	}
	s.shuts(e)
}

func (s *stormer) timedLogin() { s.timed("/timed", 0) }
func (s *stormer) briefLogin() { s.timed("/brief", time.Second) }

func (s *stormer) timed(path string, ttl time.Duration) {
	a := s.do(http.MethodPost, path, fmt.Sprintf(`{"Result":null,"UserLogin":%q,"ApiKey":%q}`, stormAdmin, s.key))
	token := a.member("Token")
	if a.err != nil || a.status != http.StatusOK || token == "" {
		s.unexpected("a login by key", a)
		return
	}
	e := &entry{what: "a token of timed_login " + path, text: token, ask: guarded(stormAdmin, "/api?Token="+token)}
	if ttl != 0 {
		e.until = time.Now().Add(ttl)
	}
	s.opened(e)
}

func (s *stormer) keyLogin() {
	a := s.do(http.MethodPost, "/crm/web_api_key/token", "",
		"Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(s.tenantKey+":")))
	token := a.member("data", "token")
	if a.err != nil || a.status != http.StatusOK || token == "" {
		s.unexpected("a login by web API key", a)
		return
	}
	s.released = append(s.released, s.opened(&entry{what: "a token of crm_token", text: token, ask: bearer("", token)}))
}

func (s *stormer) release() {
	if e := s.take(&s.released); e != nil {
		s.ends(e, func() answer { return s.do(http.MethodPost, "/crm/token/release", fmt.Sprintf(`{"token":%q}`, e.text)) })
	}
}

// look asks about anything that was answered in the past.
func (s *stormer) look() {
	if len(s.entries) == 0 {
		return
	}
	e := s.entries[s.chance.IntN(len(s.entries))]
	if want := e.wants(); want != unsure {
		if got, a := e.ask(s.caller); got != want && got != unsure {
			s.wrong = append(s.wrong, fmt.Sprintf("%s is %s and must be %s: %s", e.what, got, want, a))
		}
	}
}

// checkTime bounds how long a gateway may say of a credential that it cannot
// know, once everything runs again.
const checkTime = time.Minute

// findings are how often a gateway was asked, and what it and the ledger disagree
// about; silent is where it gave no verdict.
type findings struct{ looked, lost, revived, silent int }

// count enters a verdict that is not the right one.
func (f *findings) count(got verdict) {
	switch got {
	case shut:
		f.lost++
	case open:
		f.revived++
	case unsure:
		f.silent++
	}
}

// check asks about all entries, or about those that changed since the last time
// and some of the others. What it finds is wrong afterwards counts as unsure.
func (s *stormer) check(all bool) (f findings) {
	chosen := s.fresh
	for range min(100, len(s.entries)) {
		chosen = append(chosen, s.entries[s.chance.IntN(len(s.entries))])
	}
	if all {
		chosen = s.entries
	}
	s.fresh = nil
	for _, e := range chosen {
		want := e.wants()
		if want == unsure {
			continue
		}
		f.looked++
		got, a := s.insist(e)
		if got != want {
			f.count(got)
			s.wrong = append(s.wrong, fmt.Sprintf("%s is %s and must be %s: %s", e.what, got, want, a))
			e.state = unsure
		}
		if !e.until.IsZero() && got == shut {
			e.state = shut // and stays so
		}
	}
	return f
}

// insist asks until there is a verdict.
func (s *stormer) insist(e *entry) (verdict, answer) {
	end := time.Now().Add(checkTime)
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for ; ; <-pause.C {
		v, a := e.ask(s.caller)
		if v != unsure {
			return v, a
		}
		if time.Now().After(end) {
			return unsure, a
		}
	}
}
