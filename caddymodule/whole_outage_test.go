package caddymodule

import (
	"net/http"
	"testing"
	"time"
)

func TestG5AStoreOutOfReachLetsNobodyIn(t *testing.T) {
	w := startSetting(t, setting{
		gatehouse: "\n\t\tstore sqlite DIR/gatehouse.db\n\t\tmax_staleness 1s",
		sites:     guardedSite("login management\nlogin timed_login\ninsecure_http\npublic /open/*"),
	})
	_, key := w.ann()
	token := w.login(annName, annPassword)
	known := []string{bearerOf(token), "x-api-key: " + key}
	for _, field := range known {
		w.passed(w.get("/x", field))
	}
	if err := w.runtime().Store.Close(); err != nil {
		t.Fatal(err)
	}

	unavailable := func(t *testing.T, got answer) {
		t.Helper()
		w.refused(got, http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" || got.header.Get("WWW-Authenticate") != "" {
			t.Error(got)
		}
	}
	w.run("a credential that is not known is neither forwarded nor called bad", func(t *testing.T) {
		for _, field := range []string{bearerOf("ght_unknown"), "x-api-key: api_unknown"} {
			unavailable(t, w.get("/x", field))
			unavailable(t, w.get("/open/x", field))
		}
		unavailable(t, w.get("/x?Token=a45a039c-eb31-46f1-9ece-88aa5ccfe22c"))
	})
	w.run("a known one passes no longer than it is trusted", func(t *testing.T) {
		for _, field := range known {
			var last answer
			eventually(t, 3*time.Second, "it is refused", func() bool {
				last = w.get("/x", field)
				if last.status != http.StatusOK && last.status != http.StatusServiceUnavailable {
					t.Fatal(last)
				}
				return last.status != http.StatusOK
			})
			unavailable(t, last)
		}
	})
	w.run("no login and no logout is answered as if it had worked", func(t *testing.T) {
		unavailable(t, w.tryLogin(annName, annPassword))
		unavailable(t, w.tryLogin("nobody", annPassword))
		unavailable(t, w.post("/v1/auth/logout", "{}", bearerOf(token), jsonType))
		for _, l := range timedLogins(annName, key) {
			unavailable(t, w.post("/login", l.body, "Content-Type: "+l.media))
		}
	})
	w.run("without a credential it is as ever", func(t *testing.T) {
		w.passed(w.get("/open/x"))
		w.refused(w.get("/x"), http.StatusUnauthorized)
	})
	w.run("the audit log calls it a fault of ours", func(t *testing.T) {
		faults := 0
		for _, line := range w.logged("http.handlers.gatehouse.audit", "") {
			if line["code"] == "unavailable" {
				faults++
				if line["level"] != "error" || line["reason"] != "store" {
					t.Error(line)
				}
			}
		}
		if faults == 0 {
			t.Error("not a line")
		}
	})
}
