package caddymodule

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// traffic of one of each kind, whose traces TestWholeFigures and
// TestWholeAuditLog look for.
func (w *whole) oneOfEach(key string) (token string) {
	w.t.Helper()
	token = w.login(annName, annPassword)
	for range 3 {
		w.passed(w.get("/things/1?secret=no", bearerOf(token)))
	}
	w.passed(w.get("/open/x"))
	w.passed(w.get("/things/2", "x-api-key: "+key))
	w.timedToken(key)
	w.refused(w.tryLogin(annName, "wrong password"), http.StatusUnauthorized)
	w.refused(w.tryLogin("Nobody", annPassword), http.StatusUnauthorized)
	w.refused(w.get("/things/3?secret=no"), http.StatusUnauthorized)
	w.refused(w.get("/things/4", bearerOf("ght_unknown")), http.StatusUnauthorized)
	w.refused(w.get("/admin/5", bearerOf(token)), http.StatusForbidden)
	w.refused(w.get("/things/6", bearerOf(token), bearerOf("ght_other")), http.StatusBadRequest)
	w.refused(w.get("/a/%2e%2e/7"), http.StatusBadRequest)
	w.refused(w.post("/v1/auth/login", `{"username":7}`, jsonType), http.StatusBadRequest)
	w.refused(w.post("/v1/auth/logout", "", bearerOf(token)), http.StatusOK)
	w.refused(w.get("/things/8", bearerOf(token)), http.StatusUnauthorized)
	return token
}

const seenGuard = bothDialects + "\npublic /open/* /metrics\nrequire /admin/* {\n\trole admin\n}"

func startSeen(t *testing.T) *whole {
	return startSetting(t, setting{
		options: "admin off\n\tpersist_config off\n\tmetrics",
		sites:   "SITE {\n\tlog\n\tgatehouse {\n" + seenGuard + "\n\t}\n\tmetrics /metrics\n\treverse_proxy UPSTREAM\n}\n",
	})
}

func TestWholeFigures(t *testing.T) {
	w := startSeen(t)
	_, key := w.ann("editor")
	before := w.metrics()
	w.oneOfEach(key)
	after := w.metrics()

	want := map[string]float64{
		`gatehouse_requests_total{reason="",verdict="passed"}`:                      4,
		`gatehouse_requests_total{reason="",verdict="anonymous"}`:                   2, // with the reading of the figures
		`gatehouse_requests_total{reason="no_credential",verdict="refused"}`:        1,
		`gatehouse_requests_total{reason="unknown",verdict="refused"}`:              2,
		`gatehouse_requests_total{reason="role",verdict="refused"}`:                 1,
		`gatehouse_requests_total{reason="duplicate",verdict="refused"}`:            1,
		`gatehouse_requests_total{reason="path",verdict="refused"}`:                 1,
		`gatehouse_logins_total{dialect="management",outcome="ok"}`:                 1,
		`gatehouse_logins_total{dialect="timed_login",outcome="ok"}`:                1,
		`gatehouse_logins_total{dialect="management",outcome="invalid_credential"}`: 2,
		`gatehouse_cache_hits_total`:                                                3,
		`gatehouse_cache_misses_total`:                                              4,
	}
	got := map[string]float64{}
	for name, value := range after {
		if strings.HasPrefix(name, "gatehouse_") && strings.HasSuffix(strings.SplitN(name, "{", 2)[0], "_total") && value != before[name] {
			got[name] = value - before[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s rose by %v, want %v", name, got[name], want[name])
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("and these rose: %v", got)
	}
	for _, name := range []string{"gatehouse_cache_entries", "gatehouse_hash_queue"} {
		if _, ok := after[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
	ops := 0
	for name := range after {
		if strings.HasPrefix(name, "gatehouse_store_seconds_count{op=") && after[name] > before[name] {
			ops++
		}
		for _, secret := range []string{annName, "Nobody", key, "things"} {
			if strings.Contains(name, "gatehouse") && strings.Contains(name, secret) {
				t.Errorf("%s names a caller or a path", name)
			}
		}
	}
	if ops == 0 {
		t.Error("no operation of the store was timed")
	}
}

func TestWholeAuditLog(t *testing.T) {
	w := startSeen(t)
	ann, key := w.ann("editor")
	token := w.oneOfEach(key)
	session := ""
	var got []string
	for _, line := range w.logged("http.handlers.gatehouse.audit", "") {
		if line["realm"] != "default" || line["address"] != "127.0.0.1" || line["level"] != "info" {
			t.Errorf("realm, address or level are wrong: %v", line)
		}
		text := fmt.Sprint(line)
		if strings.Contains(text, token) || strings.Contains(text, key) || strings.Contains(text, annPassword) || strings.Contains(text, "secret=") {
			t.Errorf("a secret stands in the audit log: %s", text)
		}
		if id, ok := line["token_id"].(string); ok && session == "" {
			session = id
		}
		got = append(got, summary(line, ann.ID, session))
	}
	want := []string{
		"login ok dialect=management name=ann subject=ANN token_id=SESSION",
		"login ok dialect=timed_login name=ann subject=ANN token_id=OTHER key",
		"login invalid_credential/password dialect=management name=ann subject=ANN",
		"login invalid_credential/unknown dialect=management name=Nobody",
		"refusal no_credential/no_credential method=GET path=/things/3",
		"refusal invalid_credential/unknown credential=bearer method=GET path=/things/4",
		"refusal insufficient_scope/role subject=ANN token_id=SESSION credential=bearer method=GET path=/admin/5",
		"refusal malformed/duplicate method=GET path=/things/6",
		"refusal malformed/path method=GET path=/a/%2e%2e/7",
		"refusal malformed/form dialect=management method=POST path=/v1/auth/login",
		"revocation ok dialect=management subject=ANN token_id=SESSION",
		"refusal invalid_credential/unknown credential=bearer method=GET path=/things/8",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// summary is a line of the audit log without what differs from run to run.
func summary(line map[string]any, ann, session string) string {
	words := []string{line["msg"].(string)}
	if line["ok"] == true {
		words = append(words, "ok")
	} else {
		words = append(words, fmt.Sprint(line["code"], "/", line["reason"]))
	}
	for _, name := range []string{"dialect", "name", "subject", "token_id", "credential", "method", "path"} {
		value, ok := line[name].(string)
		switch {
		case !ok:
			continue
		case value == ann:
			value = "ANN"
		case value == session:
			value = "SESSION"
		case name == "token_id":
			value = "OTHER"
		}
		words = append(words, name+"="+value)
	}
	if _, ok := line["key_id"]; ok {
		words = append(words, "key")
	}
	return strings.Join(words, " ")
}
