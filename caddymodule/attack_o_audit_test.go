package caddymodule

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// ledger is what a client counted: how often what it did must stand in the
// audit log, by event, whether it succeeded, and code.
type ledger map[string]int

func (l ledger) add(event string, ok bool, code string) { l[fmt.Sprintln(event, ok, code)]++ }

// TestO14TheAuditLogIsTheLedgerOfItsClients: for every login, refresh, revoke,
// lockout and denial one line, no more and no fewer, with its time.
func TestO14TheAuditLogIsTheLedgerOfItsClients(t *testing.T) {
	w := start(t, everyDialect)
	began := time.Now()
	m := addMember(t, w.admin("default"))
	w.account(admin.NewAccount{Username: "bob", Password: auth.NewSecret(annPassword)})
	want := ledger{}
	good := func(path, body, event string, status int, fields ...string) string {
		t.Helper()
		a := w.post(path, body, fields...)
		if a.status != status {
			t.Fatalf("%s: %v", path, a)
		}
		want.add(event, true, "")
		return a.body
	}
	denied := func(a answer, status int, code string) {
		t.Helper()
		w.refused(a, status)
		want.add("refusal", false, code)
	}
	failed := func(body, code string) {
		t.Helper()
		if a := w.post("/v1/auth/login", body, jsonType); a.status < 400 {
			t.Fatal(a)
		}
		want.add("login", false, code)
	}
	login := func(name, password string) string {
		return fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)
	}
	for n := range 10 {
		token := memberOf(t, good("/v1/auth/login", login(m.member, m.password), "login", 200, jsonType), "token")
		timed := timedLogins(m.member, m.key)[n%2]
		good("/timed", timed.body, "login", 200, "Content-Type: "+timed.media)
		pair := good("/oauth2/token", "grant_type=client_credentials", "login", 200, formType, m.basic())
		next := good("/oauth2/token", "grant_type=refresh_token&refresh_token="+memberOf(t, pair, "refresh_token"), "refresh", 200, formType, m.basic())
		if a := w.post("/oauth2/token", "grant_type=refresh_token&refresh_token="+memberOf(t, pair, "refresh_token"), formType, m.basic()); a.status != 400 {
			t.Fatal(a) // a replay
		}
		want.add("refresh", false, "invalid_credential")
		want.add("revocation", true, "")       // which ends the family
		w.passed(w.get("/x", bearerOf(token))) // what passes is in the access log
		denied(w.get("/admin/x", bearerOf(token)), http.StatusForbidden, "insufficient_scope")
		good("/v1/auth/logout", "", "revocation", 200, bearerOf(token))
		denied(w.get("/x", bearerOf(token)), http.StatusUnauthorized, "invalid_credential")
		denied(w.get("/x", bearerOf(memberOf(t, next, "access_token"))), http.StatusUnauthorized, "invalid_credential")
		denied(w.get("/x"), http.StatusUnauthorized, "no_credential")
		denied(w.get("/a/%2e%2e/x"), http.StatusBadRequest, "malformed")
		denied(w.get("/x", bearerOf(token), bearerOf("other")), http.StatusBadRequest, "malformed")
	}
	for range 5 {
		failed(login("bob", "not it at all"), "invalid_credential")
		failed(login("nobody", "not it at all"), "invalid_credential")
	}
	for range 3 {
		failed(login("bob", annPassword), "throttled")
		failed(login("nobody", annPassword), "throttled")
	}

	got := ledger{}
	for _, line := range w.logged("http.handlers.gatehouse.audit", "") {
		code, _ := line["code"].(string)
		got.add(line["msg"].(string), line["ok"].(bool), code)
		at := time.UnixMilli(int64(line["ts"].(float64) * 1000))
		if at.Before(began.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("a line is of %v", at)
		}
		for _, name := range []string{"realm", "address"} {
			if line[name] == nil {
				t.Errorf("a line without %s: %v", name, line)
			}
		}
	}
	for what, n := range want {
		if got[what] != n {
			t.Errorf("%d lines of %s, the client counted %d", got[what], strings.TrimSpace(what), n)
		}
	}
	for what, n := range got {
		if want[what] == 0 {
			t.Errorf("%d lines of %s, which no client did", n, strings.TrimSpace(what))
		}
	}
	w.run("an instant is the same for every reader, wherever the machine stands", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(w.dir, "caddy.log"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(line, `"ts":1`) { // seconds since 1970, which have no zone
				t.Fatalf("a line without its time in UTC: %s", line)
			}
		}
	})
}
