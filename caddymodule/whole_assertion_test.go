package caddymodule

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const assertingBlock = `
		login management {
			format jwt
		}
		login oauth2 {
			format jwt
		}
		accept bearer api_key
		public /docs/*
		errors problem
		identity {
			assertion X-Proof {
				audience orders
				ttl 30s
			}
		}`

// segmentOf reads a segment of a JWT.
func segmentOf(t testing.TB, jwt string, n int) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

// rotate does what the command does, in this process.
func (w *whole) rotate(uses ...string) (made []store.SigningKey) {
	w.t.Helper()
	a := w.admin(gateway.DefaultRealm)
	a.Ring = func(context.Context) (*token.Ring, error) { return w.runtime().Ring, nil }
	err := a.RotateSigningKeys(w.t.Context(), uses, func(k store.SigningKey) error { made = append(made, k); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

func TestWholeAssertion(t *testing.T) {
	w := start(t, assertingBlock)
	account, key := w.ann("editor")
	login := w.login(annName, annPassword)

	w.run("the upstream gets one assertion, about this request", func(t *testing.T) {
		got := w.passed(w.get("/orders/zo%C3%AB?x=1", bearerOf(login)))
		proof := got.Header["X-Proof"]
		if len(proof) != 1 {
			t.Fatalf("got %q", proof)
		}
		claims := segmentOf(t, proof[0], 1)
		if claims["sub"] != account.ID || claims["htm"] != "GET" || claims["path"] != "/orders/zo%C3%AB" ||
			"http://"+claims["host"].(string) != w.site || claims["aud"] != "orders" || claims["exp"].(float64)-claims["iat"].(float64) != 30 {
			t.Errorf("claims are %v", claims)
		}
		if !strings.Contains(got.URI, claims["path"].(string)+"?") {
			t.Errorf("the upstream was asked for %s", got.URI)
		}
	})
	w.run("H01, H04, H06: nothing of what a client sends under its name arrives, whoever calls", func(t *testing.T) {
		for _, credential := range []string{bearerOf(login), "x-api-key: " + key, "Accept: */*"} {
			for _, name := range []string{"X-Proof", "x_proof", "X.Proof", "X-Auth-Assertion", "X_Auth_Assertion"} {
				got := w.passed(w.get("/docs/x", credential, name+": forged", "Connection: "+name))
				for field, values := range got.Header {
					if strings.Contains(strings.Join(values, ","), "forged") {
						t.Errorf("%s: %s arrived", name, field)
					}
				}
				if n := len(got.Header["X-Proof"]); n != 1 && credential != "Accept: */*" || n != 0 && credential == "Accept: */*" {
					t.Errorf("%s with %.20s: %d assertions arrived", name, credential, n)
				}
			}
		}
	})
	w.run("an assertion is no credential", func(t *testing.T) {
		proof := w.passed(w.get("/x", bearerOf(login))).Header.Get("X-Proof")
		w.refused(w.get("/x", bearerOf(proof)), http.StatusUnauthorized)
		w.refused(w.get("/x", "X-Proof: "+proof), http.StatusUnauthorized)
	})
	w.run("the keys that verify are published, those that are secrets are not", func(t *testing.T) {
		got := w.get(gateway.JWKSPath)
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal([]byte(got.body), &set); err != nil || got.status != http.StatusOK || len(set.Keys) != 2 {
			t.Fatalf("got %v (%v)", got, err)
		}
		kid := segmentOf(t, w.passed(w.get("/x", bearerOf(login))).Header.Get("X-Proof"), 0)["kid"].(string)
		if !strings.Contains(got.body, kid) || strings.Contains(got.body, segmentOf(t, login, 0)["kid"].(string)) {
			t.Errorf("published is %s", got.body)
		}
	})
	w.run("a rotation reaches the gateway at once, and ends nothing", func(t *testing.T) {
		made := w.rotate(token.UseToken, token.UseAssertion)
		if len(made) != 2 {
			t.Fatalf("made %d keys", len(made))
		}
		if kid := segmentOf(t, w.login(annName, annPassword), 0)["kid"]; kid != made[0].ID && kid != made[1].ID {
			t.Error("the old key signs")
		}
		w.passed(w.get("/x", bearerOf(login)))
	})
	w.run("no log shows an assertion", func(t *testing.T) {
		proof := w.passed(w.get("/x", bearerOf(login))).Header.Get("X-Proof")
		text, err := os.ReadFile(filepath.Join(w.dir, "caddy.log"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "X-Proof") { // the proxy's debug log
			t.Error("the log does not mention the field: the test shows nothing")
		}
		if strings.Contains(string(text), proof) || strings.Contains(string(text), strings.Split(proof, ".")[2]) {
			t.Error("the log shows an assertion")
		}
	})
}

// TestWholeKeyLifetime: the schedule of a running gateway is that of the newest
// configuration.
func TestWholeKeyLifetime(t *testing.T) {
	site := guardedSite(assertingBlock)
	w := startSetting(t, setting{sites: site})
	before := w.runtime()
	for _, c := range []struct {
		line string
		want time.Duration
	}{{"", gateway.DefaultKeyLifetime}, {"off", 0}, {"2h", 2 * time.Hour}, {"", gateway.DefaultKeyLifetime}} {
		line := ""
		if c.line != "" {
			line = "\n\t\tsigning_key_lifetime " + c.line
		}
		w.load(setting{gatehouse: line, sites: site})
		if got := w.runtime().KeyLifetime(); got != c.want {
			t.Errorf("signing_key_lifetime %s: %v, want %v", c.line, got, c.want)
		}
	}
	if w.runtime() != before {
		t.Error("the runtime was not kept: the test shows nothing")
	}
}
