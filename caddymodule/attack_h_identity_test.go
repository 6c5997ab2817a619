package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
)

// The identity of these tests: the default fields and some of an operator's
// own. Ann is of no tenant, so that X-Org has no value for her.
const tellingBlock = `
		login management
		accept bearer api_key
		public /open/*
		identity {
			header X-User-Id {http.auth.user.id}
			header X-Org {http.auth.user.tenant}
			header X-Rank {http.auth.user.roles}
			header X-Customer-Id {http.auth.user.username}
		}`

var identityNames = []string{
	"X-Auth-Subject", "X-Auth-Username", "X-Auth-Tenant", "X-Auth-Unit", "X-Auth-Roles", "X-Auth-Scopes", "X-Auth-Credential",
	"X-User-Id", "X-Org", "X-Rank", "X-Customer-Id",
}

// forged are all of them with a value that only an attacker has.
func forged(write func(string) string) []string {
	var fields []string
	for _, name := range identityNames {
		fields = append(fields, write(name)+": mallory")
	}
	return fields
}

func asWritten(name string) string { return name }

// told fails the test unless the upstream was told of this caller once, and of
// nothing that an attacker wrote. "" is nobody.
func told(t *testing.T, log *upstreamLog, id string) {
	t.Helper()
	asked := log.take()
	if len(asked) != 1 {
		t.Fatalf("the upstream was asked %d times", len(asked))
	}
	h := asked[0].Header
	if strings.Contains(fmt.Sprint(h, asked[0].Trailer), "mallory") {
		t.Errorf("the upstream was told %v, %v", h, asked[0].Trailer)
	}
	for _, name := range []string{"X-Auth-Subject", "X-User-Id"} {
		if got := h[name]; id == "" && got != nil || id != "" && !slices.Equal(got, []string{id}) {
			t.Errorf("%s is %q, want %q", name, got, id)
		}
	}
}

func TestH01AForgedIdentityIsReplacedByOurs(t *testing.T) {
	w, log := attackedTLS(t, tellingBlock)
	ann, key := w.ann("editor")
	_, token := w.token(annName, "")
	w.overEach("with a token", func(t *testing.T) {
		w.passed(w.get("/x", append(forged(asWritten), bearerOf(token))...))
		told(t, log, ann.ID)
	})
	w.overEach("with a key, each field twice", func(t *testing.T) {
		w.passed(w.get("/x", slices.Concat(forged(asWritten), forged(asWritten), []string{"x-api-key: " + key})...))
		told(t, log, ann.ID)
	})
	w.overEach("in trailers", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.site+"/x", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = -1
		r.Header.Set("Authorization", "Bearer "+token)
		r.Trailer = http.Header{"X-Auth-Subject": {"mallory"}, "X-User-Id": {"mallory"}}
		res, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		told(t, log, ann.ID)
	})
}

func TestH02WithoutACredentialNoIdentityIsTold(t *testing.T) {
	w, log := attackedTLS(t, tellingBlock)
	w.overEach("on a public path", func(t *testing.T) {
		w.passed(w.get("/open/x", forged(asWritten)...))
		told(t, log, "")
	})
	w.overEach("on a public path with a bad credential", func(t *testing.T) {
		w.passed(w.get("/open/x", append(forged(asWritten), bearerOf("nothing"))...))
		told(t, log, "")
	})
	w.overEach("on a guarded path", func(t *testing.T) {
		w.refused(w.get("/x", forged(asWritten)...), http.StatusUnauthorized)
		if asked := log.take(); len(asked) != 0 {
			t.Errorf("the upstream was asked for %v", asked)
		}
	})
}

func TestH03AFieldWithoutAValueOfOursIsAbsent(t *testing.T) {
	w, log := attackedTLS(t, tellingBlock)
	w.account(admin.NewAccount{Username: "bob"}) // no roles, no tenant
	_, token := w.token("bob", "")
	w.overEach("a tenant and roles that the caller has not", func(t *testing.T) {
		w.passed(w.get("/x", "X-Org: mallory", "X-Rank: mallory", "X-Auth-Tenant: mallory", "X-Auth-Roles: mallory", bearerOf(token)))
		for _, r := range log.take() {
			for _, name := range []string{"X-Org", "X-Rank", "X-Auth-Tenant", "X-Auth-Roles", "X-Auth-Unit", "X-Auth-Scopes"} {
				if got, ok := r.Header[name]; ok {
					t.Errorf("%s is %q", name, got)
				}
			}
		}
	})
}

func TestH04NoSpellingOfAFieldPasses(t *testing.T) {
	w, log := attackedTLS(t, tellingBlock)
	ann, _ := w.ann("editor")
	_, token := w.token(annName, "")
	with := func(separator string) func(string) string {
		return func(name string) string { return "Raw-" + strings.ReplaceAll(name, "-", separator) }
	}
	for name, write := range map[string]func(string) string{
		"underscores":          with("_"),
		"dots":                 with("."),
		"other marks":          with("~"),
		"lower case":           func(n string) string { return "Raw-" + strings.ToLower(n) },
		"upper case":           func(n string) string { return "Raw-" + strings.ToUpper(n) },
		"one underscore":       func(n string) string { return "Raw-" + strings.Replace(n, "-", "_", 1) },
		"the other underscore": func(n string) string { return "Raw-X-" + strings.ReplaceAll(n[2:], "-", "_") },
		"mixed case":           func(n string) string { return "Raw-x-" + strings.ToUpper(n[2:]) },
	} {
		w.overEach(name+", with a token", func(t *testing.T) {
			w.passed(w.get("/x", append(forged(write), bearerOf(token))...))
			told(t, log, ann.ID)
		})
		w.overEach(name+", without one", func(t *testing.T) {
			w.passed(w.get("/open/x", forged(write)...))
			told(t, log, "")
		})
	}
}

func TestH06ConnectionCannotTakeOurFieldsAway(t *testing.T) {
	w, log := attacked(t, setting{sites: guardedSite(tellingBlock)})
	ann, _ := w.ann("editor")
	_, token := w.token(annName, "")
	for name, lines := range map[string]string{
		"one list":             "Connection: close, X-User-Id, X-Auth-Subject, X-Forwarded-For\r\n",
		"lower case":           "connection: x-user-id,x-auth-subject,x-forwarded-for\r\n",
		"two fields":           "Connection: X-User-Id\r\nConnection: X-Auth-Subject, x-forwarded-for\r\n",
		"spaces and commas":    "Connection: ,, \t x-user-id \t,,X-AUTH-SUBJECT,X-Forwarded-For,\r\n",
		"underscores":          "Connection: X_User_Id, X_Auth_Subject, X_Forwarded_For\r\n",
		"with keep-alive":      "Connection: keep-alive, X-User-Id, X-Auth-Subject, X-Forwarded-For\r\n",
		"beside an upgrade":    "Connection: upgrade, X-User-Id, X-Auth-Subject, X-Forwarded-For\r\nUpgrade: websocket\r\n",
		"the proxy's own name": "Proxy-Connection: X-User-Id, X-Auth-Subject\r\n",
	} {
		w.run(name, func(t *testing.T) {
			got := w.exchange(1, "GET /x HTTP/1.1\r\nHost: "+w.host()+"\r\n"+bearerOf(token)+"\r\n"+lines+"\r\n")
			if len(got) != 1 || got[0].status != http.StatusOK {
				t.Fatal(got)
			}
			asked := log.take()
			if len(asked) != 1 || asked[0].Header.Get("X-User-Id") != ann.ID || asked[0].Header.Get("X-Auth-Subject") != ann.ID ||
				asked[0].Header.Get("X-Forwarded-For") == "" {
				t.Errorf("the upstream was told %+v", asked)
			}
		})
	}
}

func TestH06ConnectionFieldsAreNoneInFrames(t *testing.T) {
	w, log := attackedTLS(t, tellingBlock)
	w.ann("editor")
	_, token := w.token(annName, "")
	fields := w.requestFields("/x", field{"authorization", "Bearer " + token}, field{"connection", "x-user-id, x-auth-subject"})
	for proto, got := range map[string]string{"HTTP/2": w.frames2(fields), "HTTP/3": w.frames3(fields)} {
		if asked := log.take(); got == "200" || len(asked) != 0 {
			t.Errorf("%s: answered %s, the upstream was asked %v", proto, got, asked)
		}
	}
}

// The credential is taken out unless keep_credentials has it kept: no client
// decides that by naming the field in Connection.
func TestH07ConnectionCannotTakeTheCredentialAway(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		block := "accept bearer"
		if keeps {
			block += "\nidentity {\n\tkeep_credentials\n}"
		}
		t.Run(fmt.Sprintf("keep_credentials %v", keeps), func(t *testing.T) {
			w, log := attacked(t, setting{sites: guardedSite(block)})
			w.ann()
			_, token := w.token(annName, "")
			for _, lines := range []string{"", "Connection: Authorization\r\n", "connection: close, authorization, cookie\r\nCookie: a=b\r\n"} {
				got := w.exchange(1, "GET /x HTTP/1.1\r\nHost: "+w.host()+"\r\n"+bearerOf(token)+"\r\n"+lines+"\r\n")
				if len(got) != 1 || got[0].status != http.StatusOK {
					t.Fatal(got)
				}
				asked := log.take()
				if len(asked) != 1 || (asked[0].Header.Get("Authorization") != "") != keeps ||
					asked[0].Header.Get("Cookie") == "" && strings.Contains(lines, "Cookie") {
					t.Errorf("with %q the upstream was told %+v", lines, asked)
				}
			}
		})
	}
}
