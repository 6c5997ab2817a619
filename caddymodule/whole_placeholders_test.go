package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

const everyField = "<{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.tenant}|{http.auth.user.unit}|" +
	"{http.auth.user.roles}|{http.auth.user.scopes}|{http.auth.user.key_id}|{http.auth.user.token_id}|{http.auth.user.credential}>"

func TestWholePlaceholders(t *testing.T) {
	w := startSetting(t, setting{sites: `SITE {
	log
	log_append caller {http.auth.user.id}
	header >X-Caller "[{http.auth.user.username}]"
	gatehouse {
		login management
		public /open/*
		identity {
			header X-Who "{http.auth.user.username} of {http.auth.user.tenant}"
			header X-Client {http.request.remote.host}
			header X-Nothing {http.auth.user.unit}
		}
		require /tenants/* {
			tenant {path.1}
		}
	}
	@editors vars {http.auth.user.roles} editor
	respond @editors "for editors"
	@keys expression {http.auth.user.credential} == "api_key"
	respond @keys "for keys"
	respond /open/fields "` + everyField + `"
	respond /fields "` + everyField + `"
	reverse_proxy UPSTREAM
	handle_errors {
		respond "` + everyField + `" {err.status_code}
	}
}
`})
	a := w.admin(gateway.DefaultRealm)
	acme, err := a.AddTenant(t.Context(), "Acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddTenant(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	ann, key := w.account(admin.NewAccount{
		Username: annName, Password: auth.NewSecret(annPassword), Roles: []string{"a", "b"}, Tenant: "acme",
	})
	w.account(admin.NewAccount{Username: "ed", Roles: []string{"editor"}})
	row, token := w.token(annName, "acme")
	_, editor := w.token("ed", "")

	w.run("a route behind the guard has every field", func(t *testing.T) {
		want := fmt.Sprintf("<%s|ann|%s||a,b|||%s|bearer>", ann.ID, acme.ID, row.ID)
		if got := w.get("/fields", bearerOf(token)); got.body != want || got.header.Get("X-Caller") != "[ann]" {
			t.Errorf("want %s, got %v", want, got)
		}
	})
	w.run("on a public path without a credential all are empty and none stands there as it is written", func(t *testing.T) {
		got := w.get("/open/fields")
		if got.body != "<||||||||>" || got.header.Get("X-Caller") != "[]" {
			t.Error(got)
		}
		sent := w.passed(w.get("/open/x"))
		// Space at the ends of a field would be lost: it is percent-encoded.
		if who := sent.Header.Get("X-Who"); who != "%20of%20" {
			t.Errorf("the upstream was told X-Who: %q", who)
		}
		if values := sent.Header.Values("X-Nothing"); len(values) != 0 {
			t.Errorf("the upstream was told X-Nothing: %q", values)
		}
	})
	w.run("nor on a refusal or a login", func(t *testing.T) {
		for _, got := range []answer{w.get("/fields"), w.tryLogin(annName, "wrong password")} {
			if got.status != http.StatusUnauthorized || got.header.Get("X-Caller") != "[]" {
				t.Error(got)
			}
		}
	})
	w.run("a caller who is refused for what they may not do is known", func(t *testing.T) {
		got := w.get("/tenants/other/x", bearerOf(token))
		w.refused(got, http.StatusForbidden)
		if got.header.Get("X-Caller") != "[ann]" {
			t.Error(got)
		}
	})
	w.run("identity fields take them and are nobody else's", func(t *testing.T) {
		sent := w.passed(w.get("/x", bearerOf(token), "X-Who: root", "X_Client: root", "X-Nothing: root"))
		for name, want := range map[string]string{"X-Who": "ann of " + acme.ID, "X-Client": "127.0.0.1", "X-Nothing": ""} {
			if got := strings.Join(sent.Header.Values(name), "|"); got != want {
				t.Errorf("the upstream was told %s %q, want %q", name, got, want)
			}
		}
	})
	w.run("matchers behind the guard see them", func(t *testing.T) {
		if got := w.get("/x", bearerOf(editor)); got.body != "for editors" {
			t.Error(got)
		}
		if got := w.get("/x", "x-api-key: "+key); got.body != "for keys" {
			t.Error(got)
		}
		w.passed(w.get("/x", bearerOf(token)))
	})
	w.run("a requirement takes the tenant from the path, by name or id", func(t *testing.T) {
		w.passed(w.get("/tenants/acme/x", bearerOf(token)))
		w.passed(w.get("/tenants/"+acme.ID+"/x", bearerOf(token)))
		w.refused(w.get("/tenants/other/x", bearerOf(token)), http.StatusForbidden)
		w.refused(w.get("/tenants/", bearerOf(token)), http.StatusForbidden)
		w.refused(w.get("/TENANTS/other/x", bearerOf(token)), http.StatusForbidden)
	})
	w.run("the access log has them", func(t *testing.T) {
		found := 0
		for _, line := range w.logged("http.log.access", "handled request") {
			if line["caller"] == ann.ID {
				found++
			}
			if text := fmt.Sprint(line); strings.Contains(text, "http.auth.user") {
				t.Errorf("a placeholder stands in the log: %s", text)
			}
		}
		if found == 0 {
			t.Error("no line names the caller")
		}
	})
}
