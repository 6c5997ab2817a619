package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// explanation is how a configuration deals with one request.
type explanation struct {
	request  *http.Request
	address  netip.Addr
	path     string // without tokens
	steps    []gateway.Step
	decision *gateway.Decision
	// status is what would be answered, 0 where an upstream or a login
	// answers; aborted says that the connection would be closed.
	status  int
	aborted bool
}

// explain sends a request through the routes of a configuration that does not
// run, on the store of one that may.
func explain(ctx context.Context, d *dryRun, a *askedRequest) (*explanation, error) {
	to, err := a.target()
	if err != nil {
		return nil, err
	}
	name, srv, err := d.server(to)
	if err != nil {
		return nil, err
	}
	r, err := a.request(to)
	if err != nil {
		return nil, err
	}
	x, done, err := d.explainer(ctx)
	if err != nil {
		return nil, err
	}
	x.Say(gateway.Step{
		Stage: serverStage, Outcome: gateway.StepHolds, Text: "this server listens on that port",
		Facts: []gateway.Fact{{Name: "server", Value: name}, {Name: "listen", Value: strings.Join(srv.Listen, ", ")}},
	})
	e := &explanation{request: r, address: a.address, path: r.URL.EscapedPath()}
	for _, s := range d.app.state.sites {
		e.path = dialect.HideTokens(e.path, s.TokenPaths()...)
	}
	e.send(srv, r.WithContext(context.WithValue(ctx, explainerKey{}, x)))
	e.steps, e.decision = x.Steps(), x.Decision()
	return e, done()
}

// send has the server answer as it would, but for its logs and upstreams.
func (e *explanation) send(srv *caddyhttp.Server, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			e.aborted = true // as respond does where it is told to
		}
	}()
	w := &statusWriter{fields: http.Header{}}
	srv.ServeHTTP(w, r)
	e.status = w.status
}

// server finds the server that listens on the port of a URL.
func (d *dryRun) server(to target) (string, *caddyhttp.Server, error) {
	if d.http == nil || len(d.http.Servers) == 0 {
		return "", nil, errors.New("this configuration has no server for HTTP")
	}
	port, err := strconv.ParseUint(cmp.Or(to.port, d.defaultPort(to.secure)), 10, 16)
	if err != nil {
		return "", nil, errNoURL
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(d.http.Servers)) {
		srv := d.http.Servers[name]
		all = append(all, fmt.Sprintf("%s (%s)", name, strings.Join(srv.Listen, ", ")))
		if !listens(srv, uint(port)) {
			continue
		}
		if secure := len(srv.TLSConnPolicies) > 0; secure != to.secure {
			return "", nil, usagef("the server %s on port %d speaks %s: ask it so", name, port, map[bool]string{true: "https", false: "http"}[secure])
		}
		return name, srv, nil
	}
	return "", nil, usagef("no server listens on port %d: there are %s", port, strings.Join(all, ", "))
}

func (d *dryRun) defaultPort(secure bool) string {
	if secure {
		return strconv.Itoa(cmp.Or(d.http.HTTPSPort, caddyhttp.DefaultHTTPSPort))
	}
	return strconv.Itoa(cmp.Or(d.http.HTTPPort, caddyhttp.DefaultHTTPPort))
}

func listens(srv *caddyhttp.Server, port uint) bool {
	for _, text := range srv.Listen {
		a, err := caddy.ParseNetworkAddress(text)
		if err == nil && !a.IsUnixNetwork() && a.StartPort <= port && port <= a.EndPort {
			return true
		}
	}
	return false
}

// explainer opens the store and has every guard explain itself. Neither a
// store nor a key ring is made where there is none.
func (d *dryRun) explainer(ctx context.Context) (x *gateway.Explainer, done func() error, err error) {
	if path := d.app.state.at.absent(); path != "" {
		return nil, nil, noStore(path)
	}
	ring, err := d.ring(ctx)
	if err != nil {
		return nil, nil, err
	}
	rows, err := d.app.openStore(ctx)
	if err != nil {
		return nil, nil, err
	}
	x = gateway.NewExplainer(gateway.RuntimeConfig{Store: rows, Ring: ring, Now: time.Now})
	for _, s := range d.app.state.sites {
		x.Bind(s)
	}
	return x, func() error { x.Close(); return rows.Close() }, nil
}

// ring returns the key ring that the gateway has, and where it has none yet one
// that nothing was sealed under.
func (d *dryRun) ring(ctx context.Context) (*token.Ring, error) {
	if d.app.state.ring != nil {
		return d.app.state.ring, nil
	}
	text, err := loadRing(ctx, d.ctx.Storage())
	if err != nil {
		return nil, err
	}
	if text == nil {
		text = token.NewRing()
	}
	return token.ParseRing(token.RingFile{Name: storedRing + " in Caddy's storage", Text: text})
}

// statusWriter keeps the status of an answer and drops the rest.
type statusWriter struct {
	fields http.Header
	status int
}

func (w *statusWriter) Header() http.Header { return w.fields }

func (w *statusWriter) WriteHeader(status int) {
	if w.status < http.StatusOK { // informational answers are not the answer yet
		w.status = status
	}
}

func (w *statusWriter) Write(text []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(text), nil
}

// The outcomes of an explanation. The words are stable.
const (
	outcomeForwarded = "forwarded"
	outcomeObserved  = "observed"
	outcomeRefused   = "refused"
	outcomeLogin     = "login"
	outcomeAnswered  = "answered"
	outcomeAborted   = "aborted"
)

// outcome says in a word how the request ends.
func (e *explanation) outcome() string {
	forwarded := slices.ContainsFunc(e.steps, func(s gateway.Step) bool { return s.Stage == upstreamStage })
	switch d := e.decision; {
	case e.aborted:
		return outcomeAborted
	case d != nil && d.Login != "":
		return outcomeLogin
	case d != nil && d.Outcome == gateway.Refused:
		return outcomeRefused
	case forwarded && d != nil && d.Outcome == gateway.Observed:
		return outcomeObserved
	case forwarded:
		return outcomeForwarded
	}
	return outcomeAnswered
}

// answered is the status, 200 where no route answers: so Caddy does. It is 0
// where somebody else answers.
func (e *explanation) answered() int {
	switch e.outcome() {
	case outcomeRefused, outcomeAnswered:
		return cmp.Or(e.status, http.StatusOK)
	}
	return 0
}

// failure is why the guard refuses, or would; nil where it does not.
func (e *explanation) failure() *auth.Error {
	if e.decision == nil {
		return nil
	}
	return e.decision.Err
}
