package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestWholeQueryCredentialsNeedTLS(t *testing.T) {
	w := prepare(t)
	const block = "accept bearer\naccept query Token"
	plain, secure := guardedSite(block), strings.Replace(guardedSite(block), "SITE {", "SITE {\n\t"+withTLS, 1)

	w.run("a plain-http site with them is refused with the reason", func(t *testing.T) {
		err := caddy.Load(w.config(setting{sites: plain}), true)
		want := "server srv0 (DIR): credentials in the query (Token) without TLS: they would stand in every log on the way; " +
			"serve this site over https, or say insecure_http where TLS ends in front of this server"
		if err == nil || !strings.HasSuffix(err.Error(), strings.Replace(want, "DIR", strings.TrimPrefix(w.site, "http://"), 1)) {
			t.Errorf("%v", err)
		}
		if !poolIsEmpty() {
			t.Error("the store is held")
		}
	})
	w.run("unless insecure_http says that TLS ends in front", func(t *testing.T) {
		w.load(setting{sites: guardedSite(block + "\ninsecure_http")})
		w.ann()
		_, token := w.token(annName, "")
		w.passed(w.get("/things?Token=" + token))
	})
	w.run("or TLS ends here", func(t *testing.T) {
		w.site = strings.Replace(w.site, "http://127.0.0.1", "https://localhost", 1)
		w.load(setting{options: "skip_install_trust\n\tadmin off\n\tpersist_config off", sites: secure})
		w.untilTLS()
		_, token := w.token(annName, "")
		w.passed(w.get("/things?Token=" + token))
	})
	w.run("or Caddy decides by itself that it does", func(t *testing.T) {
		w.load(setting{options: "skip_install_trust\n\tadmin off\n\tpersist_config off", sites: plain})
		w.untilTLS()
		_, token := w.token(annName, "")
		w.passed(w.get("/things?Token=" + token))
	})
	w.run("a dialect whose tokens stand in the query needs it too", func(t *testing.T) {
		w.site = "http://" + freeAddress(t)
		err := caddy.Load(w.config(setting{sites: guardedSite("login timed_login")}), true)
		if err == nil || !strings.Contains(err.Error(), "credentials in the query (Token) without TLS") {
			t.Errorf("%v", err)
		}
	})
}

func TestWholeWarnings(t *testing.T) {
	const (
		unguarded = "an upstream can be reached with no gatehouse before it"
		leaking   = "a log would show credentials: give it the format gatehouse"
		hidden    = "\n\toutput file DIR/caddy.log\n\tformat gatehouse"
		open      = "\n\toutput file DIR/caddy.log\n\tformat json"
	)
	for name, c := range map[string]struct {
		log, sites string
		warned     map[string]int
	}{
		"a guarded site whose logs hide credentials is not warned of": {
			hidden, guardedSite("accept bearer"), nil,
		},
		"an upstream without a guard is": {
			hidden, guardedSite("accept bearer") + "http://other.test:9 {\n\tbind 127.0.0.1\n\treverse_proxy UPSTREAM\n}",
			map[string]int{unguarded: 1},
		},
		"so is one beside the guard's matcher": {
			hidden, "SITE {\n\tgatehouse /api/* {\n\t\taccept bearer\n\t}\n\treverse_proxy UPSTREAM\n}",
			map[string]int{unguarded: 1},
		},
		"one behind a guard in a handle block is not": {
			hidden, "SITE {\n\thandle /api/* {\n\t\tgatehouse {\n\t\t\taccept bearer\n\t\t}\n\t\treverse_proxy UPSTREAM\n\t}\n\thandle {\n\t\trespond ok\n\t}\n}",
			nil,
		},
		"one behind basic_auth is not": {
			hidden, guardedSite("accept bearer") + "http://other.test:9 {\n\tbind 127.0.0.1\n\tbasic_auth {\n\t\tbob " + bobsHash + "\n\t}\n\treverse_proxy UPSTREAM\n}",
			nil,
		},
		"a default log in another format is": {
			open, guardedSite("accept api_key"), map[string]int{leaking: 1},
		},
		"one that shows nothing but what Caddy hides by itself is not": {
			open, guardedSite("accept bearer"), nil,
		},
		"unless the server is told to log credentials": {
			open, guardedSite("accept bearer"), map[string]int{leaking: 1},
		},
		"an access log of its own in another format is": {
			hidden, strings.Replace(guardedSite("accept api_key"), "\tlog\n", "\tlog {\n\t\toutput file DIR/access.log\n\t\tformat json\n\t}\n", 1),
			map[string]int{leaking: 1},
		},
		"one that hides them is not": {
			hidden, strings.Replace(guardedSite("accept api_key"), "\tlog\n", "\tlog {\n\t\toutput file DIR/access.log\n\t\tformat gatehouse {\n\t\t\twrap console\n\t\t}\n\t}\n", 1),
			nil,
		},
		"an open log beside a site without a guard is nobody's concern": {
			open, "SITE {\n\tlog\n\trespond ok\n}", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			options := "admin off\n\tpersist_config off"
			if strings.Contains(name, "told to log credentials") {
				options += "\n\tservers {\n\t\tlog_credentials\n\t}"
			}
			w := startSetting(t, setting{options: options, log: c.log, sites: c.sites})
			got := map[string]int{}
			for _, line := range w.logged("gatehouse", "") {
				if line["level"] == "warn" {
					got[line["msg"].(string)]++
				}
			}
			for _, message := range []string{unguarded, leaking} {
				if got[message] != c.warned[message] {
					t.Errorf("warned %d times, want %d: %s", got[message], c.warned[message], message)
				}
			}
		})
	}
}

func TestWholeGuardAnswersBeforeRoutesThatFollow(t *testing.T) {
	w := startSetting(t, setting{sites: `SITE {
	gatehouse {
		accept bearer
		public /open/*
	}
	basic_auth /open/team/* {
		bob ` + bobsHash + `
	}
	redir /moved /things
	respond /open/here "here"
	reverse_proxy UPSTREAM
}`})
	w.refused(w.get("/things"), http.StatusUnauthorized)
	if a := w.get("/open/here"); a.status != http.StatusOK || a.body != "here" {
		t.Error(a)
	}
	if a := w.get("/open/team/x"); a.status != http.StatusUnauthorized || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic") {
		t.Error(a)
	}
}
