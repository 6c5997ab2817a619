package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// gatedBlock has something public, something guarded and something that only
// some may see.
const gatedBlock = `
		accept bearer
		public /public/* /open
		require /private/admin/* {
			role admin
		}`

// gate is a guarded site with what the tests of paths ask about it.
type gate struct {
	*whole
	log   *upstreamLog
	token string // of an account without the role
}

func startGate(t *testing.T, s setting) gate {
	t.Helper()
	w, log := attacked(t, s)
	w.ann("editor")
	_, token := w.token(annName, "")
	return gate{w, log, token}
}

// ask sends a target as it is and returns the status.
func (g gate) ask(target string, fields ...string) int {
	g.t.Helper()
	text := "GET " + target + " HTTP/1.1\r\nHost: " + g.host() + "\r\n"
	for _, f := range fields {
		text += f + "\r\n"
	}
	got := g.exchange(1, text+"Connection: close\r\n\r\n")
	if len(got) == 0 {
		return 0
	}
	return got[0].status
}

// refusesAll fails the test unless each target is answered 400 with a
// credential and without, and reaches nobody.
func (g gate) refusesAll(t *testing.T, targets ...string) {
	t.Helper()
	for _, target := range targets {
		for _, fields := range [][]string{nil, {bearerOf(g.token)}} {
			status := g.ask(target, fields...)
			if asked := g.log.take(); status != http.StatusBadRequest || len(asked) != 0 {
				t.Errorf("%s with %d credentials was answered %d, the upstream was asked %+v", target, len(fields), status, asked)
			}
		}
	}
}

func TestP01DotsAndSlashesAreRefused(t *testing.T) {
	g := startGate(t, setting{sites: guardedSite(gatedBlock)})
	g.refusesAll(t, "/public/../private", "/public/./private", "/public//private", "//private", "/public/%2e%2e/private",
		"/public/.%2e/private", "/public/%2E./private", "/public/..%2fprivate", "/public%2f..%2Fprivate", "/public%2Fprivate", "/public/..")
}

func TestP02ARawPathThatIsAnotherIsRefused(t *testing.T) {
	g := startGate(t, setting{sites: guardedSite(gatedBlock)})
	g.refusesAll(t, "/private/%2e%2e/public/x", "/private%2f%2e%2e%2fpublic/x", "/private/..%2fpublic/x", "/%2e%2e/public/x")
}

func TestP03PathParametersAreRefused(t *testing.T) {
	g := startGate(t, setting{sites: guardedSite(gatedBlock)})
	g.refusesAll(t, "/public/..;/private", "/public/..;a=b/private", "/public;/../private", "/public/%3b/private", "/public/..%3b/private",
		"/public;a=b/x", "/private/admin;/x", "/private/admin;x=/../public", "/;/public/x")
}

func TestP04DoubleEncodingIsRefused(t *testing.T) {
	g := startGate(t, setting{sites: guardedSite(gatedBlock)})
	g.refusesAll(t, "/public/%252e%252e/private", "/public/%252e%252e%252fprivate", "/%2570rivate", "/public/%25%32%65", "/public/%u002e%u002e/private",
		"/public/%25u002e/x", "/public/%c0%ae%c0%ae/private", "/public/%e0%80%af", "/public/%00", "/public/%ff")
}

func TestP05BackslashesAreRefused(t *testing.T) {
	g := startGate(t, setting{sites: guardedSite(gatedBlock)})
	g.refusesAll(t, `/public/..\private`, `/public\..\private`, "/public/..%5cprivate", "/public%5C..%5Cprivate", `\private`, `/\private`, "/public/%5c")
}

// Public paths are matched to the letter, or in any case where the site says
// that its upstream knows none; required ones in any case.
func TestP07CaseOpensNothingAndHidesNothing(t *testing.T) {
	for _, folds := range []bool{false, true} {
		block, public := gatedBlock, http.StatusUnauthorized
		if folds {
			block, public = block+"\npaths {\n\tcase_insensitive\n}", http.StatusOK
		}
		t.Run(fmt.Sprintf("case_insensitive %v", folds), func(t *testing.T) {
			g := startGate(t, setting{sites: guardedSite(block)})
			for target, want := range map[string]int{
				"/public/x": 200, "/%70ublic/x": 200, "/PUBLIC/x": public, "/Public/x": public, "/%50ublic/x": public, "/OPEN": public,
				"/PRIVATE": 401, "/publi%C5%BF/x": 401, "/PUBLİC/x": 401,
			} {
				if got := g.ask(target); got != want {
					t.Errorf("%s was answered %d, want %d", target, got, want)
				}
			}
			for _, target := range []string{
				"/private/admin/x", "/PRIVATE/admin/x", "/Private/%41dmin/x", "/private/adm%C4%B1n/../x", "/private/admin./x", "/private/ADMIN", "/private/admin%20/x",
			} {
				if got := g.ask(target, bearerOf(g.token)); got != http.StatusForbidden && !strings.Contains(target, "..") {
					t.Errorf("%s was answered %d", target, got)
				}
			}
		})
	}
}

func TestP08FragmentsAndQueriesDecideNothing(t *testing.T) {
	g := startGate(t, setting{sites: guardedSite(gatedBlock)})
	g.refusesAll(t, "/public/x%23/../private", "/private%23/public/x", "/private%3f/public/x", "/public/%3F", "/private#/public/x", "/public/x#y")
	for target, want := range map[string]int{
		"/private?/public/x": 401, "/private?x=/public/%2e%2e": 401, "/private?#/public/x": 401, "/public/x?y=/../private": 200, "/?/public/x": 401,
	} {
		if got := g.ask(target); got != want {
			t.Errorf("%s was answered %d, want %d", target, got, want)
		}
	}
	for _, r := range g.log.take() {
		if !strings.HasPrefix(r.URI, "/public/x?") {
			t.Errorf("the upstream was asked for %s", r.URI)
		}
	}
}

func TestP09AnAbsoluteTargetIsJudgedByItsPath(t *testing.T) {
	g := startGate(t, setting{sites: guardedSite(gatedBlock)})
	up := "http://" + g.host()
	g.refusesAll(t, up+"/public/../private", up+"//private", up+"/public/%2e%2e/private", up+"/public;/x", up+"/public/x#y", up+"/%2Fpublic/x")
	for target, want := range map[string]int{
		up + "/private": 401, up: 401, up + "?/public/x": 401, "http://user:pass@" + g.host() + "/private": 401, up + "/public/x": 200,
		"HTTP://" + strings.ToUpper(g.host()) + "/private": 401,
	} {
		if got := g.ask(target); got != want {
			t.Errorf("%s was answered %d, want %d", target, got, want)
		}
	}
	for _, r := range g.log.take() {
		if r.URI != "/public/x" {
			t.Errorf("the upstream was asked for %s", r.URI)
		}
	}
	// Another host is none of this server: Caddy has no site for it.
	for _, target := range []string{"http://evil/private", "http://evil/public/x", "http://evil:80", "public/x", "evil:443", "ftp://" + g.host() + "/private"} {
		g.ask(target)
		if asked := g.log.take(); len(asked) != 0 {
			t.Errorf("%s: the upstream was asked %+v", target, asked)
		}
	}
}

func TestP10PatternsEndAtSegments(t *testing.T) {
	g := startGate(t, setting{sites: guardedSite(gatedBlock + "\nrequire /admin {\n\trole admin\n}")})
	for target, want := range map[string]int{
		"/public": 401, "/publicx": 401, "/public-backup/x": 401, "/public.json": 401, "/public./x": 401, "/public%20/x": 401, "/openx": 401,
		"/open/": 401, "/open.": 401, "/open/x": 401, "/public/": 200, "/open": 200,
	} {
		if got := g.ask(target); got != want {
			t.Errorf("%s was answered %d, want %d", target, got, want)
		}
	}
	for target, want := range map[string]int{
		"/admin": 403, "/admin/": 403, "/admin.": 403, "/admin%20": 403, "/ADMIN": 403, "/private/admin": 403, "/private/admin/": 403,
		"/admin-backup": 200, "/adminx": 200, "/admin.json": 200, "/private/admin-x/y": 200,
	} {
		if got := g.ask(target, bearerOf(g.token)); got != want {
			t.Errorf("%s with a credential was answered %d, want %d", target, got, want)
		}
	}
}

// What stands before the guard changes what is decided on; Caddy's order has
// all of it there unless a route says otherwise.
func TestP11WhatIsDecidedOnIsThePathAfterRewrites(t *testing.T) {
	g := startGate(t, setting{sites: `SITE {
	rewrite /door /private/admin/x
	rewrite /gate/* /public{uri}
	handle_path /api/* {
		gatehouse {
			accept bearer
			public /public/*
			require /private/admin/* {
				role admin
			}
			require /users/* {
				subject {path.1}
			}
		}
		reverse_proxy UPSTREAM
	}
	handle {
		uri strip_prefix /v1
		gatehouse {` + gatedBlock + `
		}
		reverse_proxy UPSTREAM
	}
}`})
	for target, want := range map[string]int{
		"/door": 401, "/v1/public/x": 200, "/v1/private": 401, "/api/public/x": 200, "/api/private": 401, "/gate/x": 200,
		"/api/public/../private": 401, "/api/public%2f..%2fprivate": 400, "/v1/public/%2e%2e/private": 400, "/gate/..%2f..%2fprivate": 400,
		"/api//public/x": 200, "/v1//private": 400, "/api/public;/../private": 400, "/gate/%2e%2e/%2e%2e/private": 400,
	} {
		got := g.ask(target)
		for _, r := range g.log.take() {
			if !strings.HasPrefix(r.URI, "/public/") || strings.Contains(r.URI, "..") || strings.Contains(r.URI, "%") {
				t.Errorf("%s: the upstream was asked for %s", target, r.URI)
			}
		}
		if got != want && (got != 400 && got != 401 || want == 200) {
			t.Errorf("%s was answered %d, want %d", target, got, want)
		}
	}
	for target, want := range map[string]int{
		"/door": 403, "/v1/private/admin/x": 403, "/api/private/admin/x": 403, "/api/private": 200,
		"/api/users/01": 403, "/api/users/" + strings.Repeat("0", 40): 403, "/api/users": 403,
	} {
		if got := g.ask(target, bearerOf(g.token)); got != want {
			t.Errorf("%s with a credential was answered %d, want %d", target, got, want)
		}
	}
}
