package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// form sends a form of oauth2 by its client.
func (s *stormer) form(path string, pairs ...string) answer {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return s.do(http.MethodPost, "/oauth2"+path, values.Encode(), "Content-Type: application/x-www-form-urlencoded",
		"Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(s.keyID+":"+s.key)))
}

// introspected asks what a refresh token is worth, which does not use it.
func (s *stormer) introspected(token string) func(*caller) (verdict, answer) {
	return func(*caller) (verdict, answer) {
		a := s.form("/introspect", "token", token)
		var got struct{ Active *bool }
		if a.err != nil || a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &got) != nil || got.Active == nil {
			return unsure, a
		}
		if *got.Active {
			return open, a
		}
		return shut, a
	}
}

// enters takes the pair of an answer into its line.
func (s *stormer) enters(l *line, a answer) {
	access, refresh := a.member("access_token"), a.member("refresh_token")
	l.access = append(l.access, s.opened(&entry{what: "an access token of oauth2", text: access, ask: bearer(stormAdmin, access)}))
	l.refresh = s.opened(&entry{what: "a refresh token", text: refresh, ask: s.introspected(refresh)})
}

func (s *stormer) grant() {
	a := s.form("/token", "grant_type", "client_credentials")
	if a.err != nil || a.status != http.StatusOK {
		s.unexpected("a grant", a)
		return
	}
	l := new(line)
	s.enters(l, a)
	s.lines = append(s.lines, l)
}

// pick returns a line whose last refresh token is known and good, or nil.
func (s *stormer) pick() *line {
	if len(s.lines) == 0 {
		return nil
	}
	i := s.chance.IntN(len(s.lines))
	if l := s.lines[i]; l.refresh != nil && l.refresh.state == open {
		return l
	}
	s.lines = slices.Delete(s.lines, i, i+1) // its tokens stay in the ledger
	return nil
}

func (s *stormer) refresh() {
	l := s.pick()
	if l == nil {
		return
	}
	old := l.refresh
	l.refresh = nil
	doubts(old)
	a := s.form("/token", "grant_type", "refresh_token", "refresh_token", old.text)
	if a.err != nil || a.status != http.StatusOK {
		s.unexpected("a refresh", a)
		return
	}
	s.shuts(old)
	l.used = append(l.used, old)
	s.enters(l, a)
}

func (s *stormer) revokeAccess() {
	if l := s.pick(); l != nil {
		if e := l.access[s.chance.IntN(len(l.access))]; e.state == open {
			s.ends(e, func() answer { return s.form("/revoke", "token", e.text) })
		}
	}
}

// revokeLine ends all tokens of a line.
func (s *stormer) revokeLine() {
	l := s.pick()
	if l == nil {
		return
	}
	doubts(l.all()...)
	if a := s.form("/revoke", "token", l.refresh.text); a.err != nil || a.status != http.StatusOK {
		s.unexpected("the revocation of a line", a)
		return
	}
	s.shuts(l.all()...)
}

// replay uses a refresh token again, which ends its line.
func (s *stormer) replay() {
	l := s.pick()
	if l == nil || len(l.used) == 0 {
		return
	}
	used := l.used[s.chance.IntN(len(l.used))]
	if used.state != shut {
		return
	}
	doubts(l.all()...)
	a := s.form("/token", "grant_type", "refresh_token", "refresh_token", used.text)
	if a.err != nil || a.status != http.StatusBadRequest || a.member("error") != "invalid_grant" {
		s.unexpected("a refresh token that was used before", a)
		return
	}
	s.shuts(l.all()...)
}

// manages makes a call of entity_token about the client's own user.
func (s *stormer) manages(method, below, body string) answer {
	return s.do(method, "/entities/"+stormEntity+"/users/"+s.user+"/authentication-token"+below, body,
		"apikey: "+s.tenantKey, "userid: "+stormAdmin, "token: "+s.userToken)
}

// holds takes the token of an answer as the user's.
func (s *stormer) holds(a answer) {
	token := a.member("authenticationToken")
	s.entity = s.opened(&entry{
		what: "an entity token", text: token,
		ask: guarded(s.user, "/api", "apikey: "+s.tenantKey, "entity-authentication-token: "+token),
	})
}

func (s *stormer) entityToken() {
	if s.entityUnsure || (s.entity != nil && s.entity.state != open) {
		s.learnEntity()
		return
	}
	if s.entity == nil {
		s.makeEntity()
		return
	}
	if s.chance.IntN(3) == 0 {
		s.deleteEntity()
		return
	}
	s.refreshEntity()
}

// learnEntity finds out what became of a change that was not answered.
func (s *stormer) learnEntity() {
	a := s.manages(http.MethodGet, "", "")
	if a.err != nil || (a.status != http.StatusOK && a.status != http.StatusNotFound) {
		s.unexpected("a look at an entity token", a)
		return
	}
	s.entity, s.entityUnsure = nil, false
	if a.status == http.StatusNotFound {
		return
	}
	token := a.member("authenticationToken")
	ended := slices.ContainsFunc(s.entries, func(e *entry) bool { return e.text == token && e.state == shut })
	if ended {
		s.wrong = append(s.wrong, "an entity token that had ended is told again")
	}
	s.holds(a)
}

func (s *stormer) makeEntity() {
	a := s.manages(http.MethodPost, "", "")
	s.entityUnsure = a.err != nil || a.status != http.StatusCreated
	if s.entityUnsure {
		s.unexpected("a new entity token", a)
		return
	}
	s.holds(a)
}

func (s *stormer) deleteEntity() {
	e := s.entity
	s.entity, s.entityUnsure = nil, true
	s.ends(e, func() answer { return s.manages(http.MethodDelete, "", "") })
	s.entityUnsure = e.state != shut
}

func (s *stormer) refreshEntity() {
	e := s.entity
	s.entity, s.entityUnsure = nil, true
	doubts(e)
	a := s.manages(http.MethodPost, "/refresh", fmt.Sprintf(`{"authenticationToken":%q}`, e.text))
	if a.err != nil || a.status != http.StatusOK {
		s.unexpected("the refresh of an entity token", a)
		return
	}
	s.shuts(e)
	s.holds(a)
	s.entityUnsure = false
}

// link makes a login token, which is looked at by its record: that spends nothing.
func (s *stormer) link() {
	key := "Authorization: Bearer " + s.key
	a := s.do(http.MethodPost, "/login-token", "{}", key)
	id, token := a.member("id"), a.member("token")
	if a.err != nil || a.status != http.StatusCreated || id == "" || token == "" {
		s.unexpected("a new login token", a)
		return
	}
	s.links = append(s.links, s.opened(&entry{
		what: "a login token", text: id + "?token=" + token,
		ask: func(c *caller) (verdict, answer) {
			switch a := c.do(http.MethodGet, "/login-token/"+id, "", key); {
			case a.err == nil && a.status == http.StatusOK:
				return open, a
			case a.err == nil && a.status == http.StatusNotFound:
				return shut, a
			default:
				return unsure, a
			}
		},
	}))
}

// spent is a link that must not log in any more; to ask is to try.
func spent(e *entry) *entry {
	return &entry{what: "a link that was used or removed", text: e.text, ask: func(c *caller) (verdict, answer) {
		a := c.do(http.MethodGet, "/login/"+e.text, "")
		switch {
		case a.err == nil && a.status == http.StatusOK && a.member("token") != "":
			return open, a
		case a.err == nil && a.status == http.StatusOK && a.member("error") == "Invalid login token":
			return shut, a
		default:
			return unsure, a
		}
	}}
}

func (s *stormer) redeem() {
	e := s.take(&s.links)
	if e == nil {
		return
	}
	doubts(e)
	a := s.do(http.MethodGet, "/login/"+e.text, "")
	jwt := a.member("token")
	if a.err != nil || a.status != http.StatusOK || jwt == "" {
		s.unexpected("a redeem", a)
		return
	}
	s.shuts(e)
	s.closed(spent(e))
	s.jwts = append(s.jwts, s.opened(&entry{what: "a JWT of login_token", text: jwt, ask: bearer(stormAdmin, jwt)}))
}

func (s *stormer) removeLink() {
	e := s.take(&s.links)
	if e == nil {
		return
	}
	id := e.text[:36]
	s.ends(e, func() answer { return s.do(http.MethodDelete, "/login-token/"+id, "", "Authorization: Bearer "+s.key) })
	if e.state == shut {
		s.closed(spent(e))
	}
}

func (s *stormer) endJWT() {
	if e := s.take(&s.jwts); e != nil {
		s.ends(e, func() answer { return s.do(http.MethodDelete, "/authentication", "", "Authorization: Bearer "+e.text) })
	}
}
