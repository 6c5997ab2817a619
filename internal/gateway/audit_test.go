package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// TestNoLineOfTheLogHoldsATokenOfAPath, whoever refuses: the dialect, the site
// that cannot read the path, or one that is not ready yet.
func TestNoLineOfTheLogHoldsATokenOfAPath(t *testing.T) {
	token := strings.Repeat("0f", 16)
	cfg := gateway.Config{Logins: []gateway.Login{login(t, "login_token")}}
	for name, c := range map[string]struct {
		early  bool
		method string
		path   string
	}{
		"a link that is none":             {false, http.MethodGet, "/login/" + token},
		"a link by the wrong method":      {false, http.MethodPut, "/login/" + token},
		"a path that reads in two ways":   {false, http.MethodGet, "//login/" + token},
		"a link before the store is open": {true, http.MethodGet, "/login/" + token},
		"a logout":                        {false, http.MethodDelete, "/authentication/" + token},
	} {
		w := newWorld(t, cfg)
		if c.early {
			w.site = w.newSite(cfg)
		}
		w.do(request(c.method, c.path))
		if len(w.events) != 1 {
			t.Errorf("%s: %d events", name, len(w.events))
			continue
		}
		if path := w.events[0].Path; strings.Contains(path, token) || path != "" && !strings.Contains(path, auth.Redacted) {
			t.Errorf("%s: logged %q", name, path)
		}
	}
}
