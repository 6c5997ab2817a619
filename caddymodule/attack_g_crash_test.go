package caddymodule

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// acknowledged is what clients were told, each by one token.
type acknowledged struct {
	mu            sync.Mutex
	live, revoked []string
}

// storm logs in, and logs out of every other session, until the process is
// gone. It calls enough once, after n answers.
func (a *acknowledged) storm(c *child, n int, enough func()) {
	var clients sync.WaitGroup
	var once sync.Once
	login := timedLogins(annName, c.planted["an API key"])[0]
	for range 8 {
		clients.Go(func() {
			for {
				got, err := c.try(c.t.Context(), http.MethodPost, c.site+"/api/login", login.body, "Content-Type: "+login.media)
				if err != nil {
					return
				}
				if got.status != http.StatusOK {
					c.t.Errorf("a login: %v", got)
					return
				}
				token := login.tokenIn(c.t, got.body)
				if !a.logOutOrKeep(c, token) {
					return
				}
				if a.count() >= n {
					once.Do(enough)
				}
			}
		})
	}
	clients.Wait()
}

// logOutOrKeep notes a token, and by management one that was given up.
func (a *acknowledged) logOutOrKeep(c *child, token string) bool {
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, annName, annPassword)
	if a.count()%4 != 0 {
		a.note(&a.live, token)
		return true
	}
	got, err := c.try(c.t.Context(), http.MethodPost, c.site+"/v1/auth/login", body, jsonType)
	if err != nil || got.status != http.StatusOK {
		return err == nil
	}
	bearer := memberOf(c.t, got.body, "token")
	got, err = c.try(c.t.Context(), http.MethodPost, c.site+"/v1/auth/logout", "", bearerOf(bearer))
	if err != nil || got.status != http.StatusOK {
		return err == nil // it was not told that it is over: either is right
	}
	a.note(&a.revoked, bearer)
	a.note(&a.live, token)
	return true
}

func (a *acknowledged) note(list *[]string, token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*list = append(*list, token)
}

func (a *acknowledged) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.live) + len(a.revoked)
}

// TestG1G2WhatWasAnsweredSurvivesAKill: no token that a client has is lost, and
// none that it was told is over comes back, when the process is killed in the
// middle of both.
func TestG1G2WhatWasAnsweredSurvivesAKill(t *testing.T) {
	c := startChild(t, "format gatehouse")
	if _, err := c.other.AddAccount(t.Context(), admin.NewAccount{Username: annName, Password: auth.NewSecret(annPassword)}); err != nil {
		t.Fatal(err)
	}
	_, key, err := c.other.CreateKey(t.Context(), admin.NewKey{Account: annName, Permissions: auth.AllPermissions})
	if err != nil {
		t.Fatal(err)
	}
	c.plant("an API key", key.Reveal(), true)
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(c.config), 0o600); err != nil {
		t.Fatal(err)
	}
	told := &acknowledged{}
	for round := range figure(t, "GATEHOUSE_G1_ROUNDS", 2) {
		told.storm(c, (round+1)*100, c.kill)
		c.spawn(t, config)
		lost, revived := 0, 0
		for _, token := range told.live {
			if a := c.ask(http.MethodGet, c.site+"/x?Token="+token, ""); a.status != http.StatusOK {
				lost++
			}
		}
		for _, token := range told.revoked {
			if a := c.ask(http.MethodGet, c.site+"/x", "", bearerOf(token)); a.status != http.StatusUnauthorized {
				revived++
			}
		}
		t.Logf("round %d: %d tokens and %d revocations, %d lost, %d revived", round+1, len(told.live), len(told.revoked), lost, revived)
		if lost+revived > 0 || len(told.live) == 0 || len(told.revoked) == 0 {
			t.Errorf("%d were lost and %d revived", lost, revived)
		}
	}
	c.stop()
}
