package gateway_test

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
)

// TestNoDialectChangesAnythingFromEarlyData: who recorded a refresh or a
// release could send it again.
func TestNoDialectChangesAnythingFromEarlyData(t *testing.T) {
	for _, name := range table.Names() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, everyLogin(t))
			token := w.logIn(name)
			for _, r := range callsOf(t, name).changes(token) {
				w.events = nil
				r.TLS = &tls.ConnectionState{HandshakeComplete: false}
				got := w.do(r)
				if got.forwarded != nil || got.StatusCode != http.StatusTooEarly || got.body == "" {
					t.Errorf("%s %s: forwarded %v, answered %d %s", r.Method, r.RequestURI, got.forwarded != nil, got.StatusCode, got.body)
				}
				if len(w.events) != 1 || w.events[0].Kind != auth.RefusalEvent || w.events[0].Reason != auth.ReasonEarlyData {
					t.Errorf("%s %s: audited %+v", r.Method, r.RequestURI, w.events)
				}
			}
		})
	}
}
