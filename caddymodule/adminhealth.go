package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

func init() { caddy.RegisterModule(new(adminHealth)) }

// healthPath is where the admin API of Caddy tells how the gateway is.
const healthPath = "/gatehouse/health"

// adminHealth tells on Caddy's admin API how the gateway is, for those who
// decide where requests go.
type adminHealth struct{}

// CaddyModule returns the Caddy module information.
func (*adminHealth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.gatehouse", New: func() caddy.Module { return new(adminHealth) }}
}

// Routes returns the one route.
func (*adminHealth) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: healthPath, Handler: caddy.AdminHandlerFunc(serveHealth)}}
}

// healthDocument is [gateway.Health] on the wire. No member names a caller, an
// address or a path.
type healthDocument struct {
	// Status is ok, degraded or down.
	Status string       `json:"status"`
	Store  storeHealth  `json:"store"`
	Feeds  []feedHealth `json:"feeds"`
	Queue  queueHealth  `json:"queue"`
}

type storeHealth struct {
	Reachable bool    `json:"reachable"`
	ProbeMS   float64 `json:"probe_ms"`
	Error     string  `json:"error,omitempty"`
}

// feedHealth has a lag of null where the feed was never heard of.
type feedHealth struct {
	Of        string   `json:"of"`
	Following bool     `json:"following"`
	LagMS     *float64 `json:"lag_ms"`
}

type queueHealth struct {
	PasswordChecks int `json:"password_checks"`
}

func serveHealth(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: errors.New("method not allowed")}
	}
	doc := healthDocument{Status: string(gateway.Down), Feeds: []feedHealth{}}
	doc.Store.Error = "the store is not open"
	if app, rt := running(); rt != nil {
		doc = documentOf(rt.Health(r.Context(), app.takesKeys()))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !fit(gateway.Condition(doc.Status), r.URL.Query().Has(strictHealth)) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	return json.NewEncoder(w).Encode(doc)
}

// strictHealth in the query is for those who have other gateways to choose from
// and go on with all where none is well.
const strictHealth = "strict"

// fit reports whether requests should come here.
func fit(c gateway.Condition, strict bool) bool {
	return c == gateway.Healthy || c == gateway.Degraded && !strict
}

// running returns the running configuration and what it stands on, nil where it
// has no gateway or is not open.
func running() (*App, *gateway.Runtime) {
	app, err := appOf(caddy.ActiveContext())
	if err != nil || app.state.shared == nil {
		return nil, nil
	}
	return app, app.state.shared.runtime()
}

// takesKeys reports whether any guard takes keys.
func (a *App) takesKeys() bool {
	a.state.mu.Lock()
	defer a.state.mu.Unlock()
	return slices.ContainsFunc(a.state.sites, (*gateway.Site).TakesKeys)
}

func documentOf(h gateway.Health) healthDocument {
	doc := healthDocument{
		Status: string(h.Condition),
		Store:  storeHealth{Reachable: h.Err == nil, ProbeMS: milliseconds(h.Probe)},
		Feeds:  []feedHealth{},
		Queue:  queueHealth{PasswordChecks: h.Hashing},
	}
	if h.Err != nil {
		doc.Store.Error = admin.Text(h.Err)
	}
	if h.Apart {
		doc.Store.Error = "sessions: " + doc.Store.Error
	}
	for i, f := range h.Feeds {
		one := feedHealth{Of: string(gateway.Parts[i]), Following: f.Heard && !f.Broken}
		if f.Heard {
			lag := milliseconds(f.Silent)
			one.LagMS = &lag
		}
		doc.Feeds = append(doc.Feeds, one)
	}
	return doc
}

// milliseconds are to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
