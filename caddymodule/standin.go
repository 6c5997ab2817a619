package caddymodule

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

const standInName = "gatehouse_stand_in"

// standIn stands in a [dryRun] where another handler stood, or at the head of a
// route. It tells who listens that it was reached.
type standIn struct {
	// Of is the handler whose place it has.
	Of json.RawMessage `json:"of,omitempty"`

	// Matched says what led to the route, where it marks one.
	Matched []string `json:"matched,omitempty"`

	was stoodFor
}

// stoodFor is what is known of a handler that was replaced.
type stoodFor struct {
	Handler   string `json:"handler"`
	Upstreams []struct {
		Dial string `json:"dial"`
	} `json:"upstreams"`
	HandleResponse []json.RawMessage `json:"handle_response"`
	Rewrite        struct {
		Method string `json:"method"`
	} `json:"rewrite"`
	PassThru bool `json:"pass_thru"`
	Headers  struct {
		Request headerOps `json:"request"`
	} `json:"headers"`
	TrustedProxies []string `json:"trusted_proxies"`
}

// headerOps are changes to the fields of a request.
type headerOps struct {
	Add http.Header `json:"add"`
	Set http.Header `json:"set"`
}

// CaddyModule returns the Caddy module information.
func (*standIn) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers." + standInName, New: func() caddy.Module { return new(standIn) }}
}

// Provision reads what is known of the handler. What is wrong with one is for
// others to say.
func (h *standIn) Provision(caddy.Context) error {
	if h.Of != nil {
		_ = json.Unmarshal(h.Of, &h.was)
	}
	return nil
}

// The stages of an explanation beside those of a guard.
const (
	serverStage   gateway.Stage = "server"
	routeStage    gateway.Stage = "route"
	handlerStage  gateway.Stage = "handler"
	upstreamStage gateway.Stage = "upstream"
)

// explainerKey is where a request that is explained has its explainer.
type explainerKey struct{}

// ServeHTTP tells what was reached, and forwards nothing.
func (h *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	x, ok := r.Context().Value(explainerKey{}).(*gateway.Explainer)
	switch {
	case !ok:
		return next.ServeHTTP(w, r)
	case h.Of == nil:
		x.Say(gateway.Step{
			Stage: routeStage, Outcome: gateway.StepHolds, Text: "a route takes the request",
			Facts: []gateway.Fact{{Name: "match", Value: strings.Join(h.Matched, " or ")}},
		})
		return next.ServeHTTP(w, r)
	case h.was.ends():
		x.Say(gateway.Step{
			Stage: upstreamStage, Outcome: gateway.StepAnswers, Text: "the request would go to the upstream: nothing is sent",
			Facts: h.was.facts(),
		})
		return nil
	}
	x.Say(gateway.Step{
		Stage: handlerStage, Outcome: gateway.StepSkipped,
		Text: "not carried out, and taken to let the request pass unchanged", Facts: h.was.facts(),
	})
	return next.ServeHTTP(w, r)
}

// endings are the handlers that answer every request.
var endings = []string{"acme_server", "file_server", "metrics", "php", "reverse_proxy"}

// ends reports whether nothing follows.
func (s *stoodFor) ends() bool {
	return slices.Contains(endings, s.Handler) && !s.asks() && !s.PassThru
}

// asks reports whether it is what forward_auth is made of: a reverse_proxy that
// asks somebody, and lets pass where the answer is good.
func (s *stoodFor) asks() bool {
	return s.Handler == "reverse_proxy" && isAsking(s.Rewrite.Method, len(s.HandleResponse))
}

func isAsking(method string, handled int) bool { return method == http.MethodGet && handled > 0 }

func (s *stoodFor) facts() []gateway.Fact {
	facts := []gateway.Fact{{Name: "handler", Value: s.Handler}}
	var dials []string
	for _, u := range s.Upstreams {
		dials = append(dials, u.Dial)
	}
	if len(dials) > 0 {
		facts = append(facts, gateway.Fact{Name: "to", Value: strings.Join(dials, ", ")})
	}
	return facts
}

// shownMatchers are the matchers whose values are no secret: others are named
// only.
var shownMatchers = []string{"host", "method", "path", "protocol"}

// matchNames says what a route matches, one text for each alternative.
func matchNames(match any) []string {
	sets, _ := match.([]any)
	var names []string
	for _, v := range sets {
		set, _ := v.(map[string]any)
		var parts []string
		for name, value := range set {
			part := name
			if list, ok := value.([]any); ok && slices.Contains(shownMatchers, name) {
				for _, one := range list {
					text, _ := one.(string)
					part += " " + text
				}
			}
			parts = append(parts, part)
		}
		slices.Sort(parts)
		names = append(names, strings.Join(parts, ", "))
	}
	return names
}
