package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/policy"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// build loads a rule's matchers and returns it as the gateway takes it.
func (r *Rule) build(ctx caddy.Context) (gateway.Rule, error) {
	built := gateway.Rule{Paths: r.Paths}
	if err := r.check(); err != nil {
		return built, err
	}
	if len(r.MatcherSetsRaw) == 0 {
		return built, nil
	}
	r.matches, r.matched = true, matchedPaths(r.MatcherSetsRaw)
	loaded, err := ctx.LoadModule(r, "MatcherSetsRaw")
	if err != nil {
		return built, fmt.Errorf("loading request matchers: %w", err)
	}
	var sets caddyhttp.MatcherSets
	if err := sets.FromInterface(loaded); err != nil {
		return built, err
	}
	built.Match = sets.AnyMatchWithError
	return built, nil
}

// matchedPaths returns the paths of matchers that are of paths alone, nil for
// others.
func matchedPaths(sets caddyhttp.RawMatcherSets) []string {
	var paths []string
	for _, set := range sets {
		var list []string
		if len(set) != 1 || json.Unmarshal(set["path"], &list) != nil {
			return nil
		}
		paths = append(paths, list...)
	}
	return paths
}

func (r *Rule) check() error {
	for i, p := range r.Paths {
		if err := checkPattern(p); err != nil {
			return err
		}
		if slices.Contains(r.Paths[:i], p) {
			return fmt.Errorf("the path %s stands twice", p)
		}
	}
	for _, set := range r.MatcherSetsRaw {
		if len(set) == 0 {
			return errors.New("a matcher set without matchers would select every request")
		}
	}
	return nil
}

func checkPattern(p string) error {
	_, err := policy.ParsePattern(p)
	return err
}

// build returns a requirement as the gateway takes it.
func (q *Require) build(ctx caddy.Context) (gateway.Requirement, error) {
	built := gateway.Requirement{Roles: q.Roles, Scopes: q.Scopes, Tenants: q.Tenants, Subjects: q.Subjects}
	if err := q.check(); err != nil {
		return built, err
	}
	for _, name := range q.Permissions {
		bit, _ := auth.ParsePermission(name)
		built.Permissions = append(built.Permissions, bit)
	}
	var err error
	built.Rule, err = q.Rule.build(ctx)
	return built, err
}

// check refuses a requirement that requires nothing: whoever wrote it meant
// something else.
func (q *Require) check() error {
	if len(q.Roles)+len(q.Scopes)+len(q.Permissions)+len(q.Tenants)+len(q.Subjects) == 0 {
		return errors.New("require says nothing: it takes role, scope, permission, tenant or subject")
	}
	for _, line := range []struct {
		what   string
		values []string
		check  func(string) error
	}{
		{"role", q.Roles, checkScopeName},
		{"scope", q.Scopes, checkScopeName},
		{"permission", q.Permissions, checkPermission},
		{"tenant", q.Tenants, checkValue},
		{"subject", q.Subjects, checkValue},
	} {
		if err := checkAlternatives(line.what, line.values, line.check); err != nil {
			return err
		}
	}
	return nil
}

func checkAlternatives(what string, values []string, check func(string) error) error {
	for i, v := range values {
		if err := check(v); err != nil {
			return fmt.Errorf("%s %q: %w", what, v, err)
		}
		if slices.Contains(values[:i], v) {
			return fmt.Errorf("%s %q stands twice", what, v)
		}
	}
	return nil
}

func checkScopeName(name string) error {
	if !auth.ValidName(name) {
		return errors.New("it may hold printable ASCII without spaces, quotes, commas, backslashes and asterisks")
	}
	return nil
}

func checkPermission(name string) error {
	if _, ok := auth.ParsePermission(name); !ok {
		return fmt.Errorf("it can be %s", alternatives(auth.AllPermissions.Names()))
	}
	return nil
}

func checkTemplate(template string) error {
	if strings.TrimSpace(template) == "" {
		return errors.New("it is empty")
	}
	return nil
}

func checkValue(value string) error { return cmp.Or(checkTemplate(value), checkUserFields(value)) }

// build returns what the upstream is told as the gateway takes it.
func (i *Identity) build() ([]gateway.Field, error) {
	if len(i.Headers) > maxIdentityHeaders {
		return nil, fmt.Errorf("identity has %d headers: at most %d fit into a request that servers take", len(i.Headers), maxIdentityHeaders)
	}
	var fields []gateway.Field
	for _, h := range i.Headers {
		if err := forward.CheckName(h.Field, nil); err != nil {
			return nil, err
		}
		if err := cmp.Or(checkTemplate(h.Value), checkUserFields(h.Value)); err != nil {
			return nil, fmt.Errorf("the value of %s: %w", h.Field, err)
		}
		if slices.ContainsFunc(fields, func(f gateway.Field) bool { return sameName(f.Name, h.Field) }) {
			return nil, fmt.Errorf("identity header %s stands twice", h.Field)
		}
		fields = append(fields, gateway.Field{Name: http.CanonicalHeaderKey(h.Field), Value: h.Value})
	}
	return fields, nil
}

// maxIdentityHeaders keeps a request below what servers take of header fields,
// of which 100 is the least that is usual.
const maxIdentityHeaders = 64

// sameName compares as a server that knows neither case nor punctuation does.
func sameName(a, b string) bool { return newNameSet(a).has(b) }

// build returns a limit on requests as the gateway takes it.
func (r *Rate) build() (*gateway.Rate, error) {
	if err := checkLimit("rate", r.Events, r.Window); err != nil {
		return nil, err
	}
	by := gateway.RateKey(r.Key)
	switch by {
	case "":
		by = gateway.RateByCredential
	case gateway.RateByCredential, gateway.RateBySubject, gateway.RateByAddress:
	default:
		return nil, fmt.Errorf("rate key %q: it can be credential, subject or address", r.Key)
	}
	return &gateway.Rate{Limit: throttle.Limit{Events: r.Events, Window: time.Duration(r.Window)}, By: by}, nil
}
