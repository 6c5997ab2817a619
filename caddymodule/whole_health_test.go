package caddymodule

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// TestWholeHealth asks Caddy's admin API as a load balancer does, before and
// after the store went away.
func TestWholeHealth(t *testing.T) {
	address := freeAddress(t)
	w := startSetting(t, setting{
		options:   "\n\tadmin " + address + "\n\tpersist_config off",
		gatehouse: "\n\t\tstore sqlite DIR/gatehouse.db\n\t\tmax_staleness 1s",
		sites:     guardedSite("login management"),
	})
	_, key := w.ann()
	ask := func(method string) answer {
		t.Helper()
		got, err := w.try(t.Context(), method, "http://"+address+healthPath, "")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	read := func(got answer) (doc healthDocument) {
		t.Helper()
		if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
			t.Fatalf("%v: %v", err, got)
		}
		return doc
	}
	w.run("a gateway whose store answers is ok", func(t *testing.T) {
		var got answer
		eventually(t, 3*time.Second, "it is ok", func() bool {
			got = ask(http.MethodGet)
			return read(got).Status == "ok"
		})
		doc := read(got)
		if got.status != http.StatusOK || !doc.Store.Reachable || len(doc.Feeds) != 1 || !doc.Feeds[0].Following || doc.Feeds[0].LagMS == nil {
			t.Error(got)
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != "application/json" {
			t.Error(got.header)
		}
	})
	w.run("HEAD is GET without its body, and nothing else may be asked", func(t *testing.T) {
		if got := ask(http.MethodHead); got.status != http.StatusOK || got.body != "" {
			t.Error(got)
		}
		if got := ask(http.MethodPost); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
			t.Error(got)
		}
	})
	w.run("who is strict is told the same of a gateway that is well", func(t *testing.T) {
		got, err := w.try(t.Context(), http.MethodGet, "http://"+address+healthPath+"?strict", "")
		if err != nil || got.status != http.StatusOK || read(got).Status != "ok" {
			t.Errorf("%v: %v", err, got)
		}
	})
	w.run("one that must refuse everybody for want of its store is down", func(t *testing.T) {
		if err := w.runtime().Store.Close(); err != nil {
			t.Fatal(err)
		}
		var got answer
		eventually(t, 5*time.Second, "it is down", func() bool {
			got = ask(http.MethodGet)
			return read(got).Status == "down"
		})
		doc := read(got)
		if got.status != http.StatusServiceUnavailable || doc.Store.Reachable || doc.Store.Error == "" || doc.Feeds[0].Following {
			t.Error(got)
		}
		w.refused(w.get("/x", "x-api-key: "+key), http.StatusServiceUnavailable)
	})
	w.run("it tells nobody's name and no secret", func(t *testing.T) {
		if got := ask(http.MethodGet).body; strings.Contains(got, `"`+annName+`"`) || strings.Contains(got, key) || strings.Contains(got, w.dir) {
			t.Error(got)
		}
	})
}

func TestWhoMaySendRequestsHere(t *testing.T) {
	for _, c := range []struct {
		condition     gateway.Condition
		fit, strictly bool
	}{
		{gateway.Healthy, true, true}, {gateway.Degraded, true, false}, {gateway.Down, false, false}, {"", false, false},
	} {
		if fit(c.condition, false) != c.fit || fit(c.condition, true) != c.strictly {
			t.Errorf("%q is fit: %v, strictly: %v", c.condition, fit(c.condition, false), fit(c.condition, true))
		}
	}
}

func TestWholeHealthWithoutAGateway(t *testing.T) {
	address := freeAddress(t)
	w := prepare(t)
	if err := caddy.Load([]byte(`{"admin":{"listen":"`+address+`","config":{"persist":false}},"apps":{}}`), true); err != nil {
		t.Fatal(err)
	}
	got, err := w.try(t.Context(), http.MethodGet, "http://"+address+healthPath, "")
	if err != nil || got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, `"down"`) {
		t.Errorf("%v: %v", err, got)
	}
}
