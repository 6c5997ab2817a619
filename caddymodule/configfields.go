package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

const (
	modeEnforce = "enforce"
	modeObserve = "observe"
)

// checkMode takes the words of the member mode; "" is the default.
func checkMode(mode string) error {
	if mode != "" && mode != modeEnforce && mode != modeObserve {
		return fmt.Errorf("mode %q: it can be enforce or observe", mode)
	}
	return nil
}

// checkRealm takes names that can stand in a challenge, a row and a log as
// they are. A placeholder could name another realm for each request: none can
// stand here.
func checkRealm(name string) error {
	if !auth.ValidName(name) || strings.ContainsAny(name, "{}") {
		return fmt.Errorf("the realm %q may hold printable ASCII without spaces, quotes, commas, backslashes, asterisks and braces", name)
	}
	return nil
}

// checkMethods takes methods that may be forwarded beside the usual ones.
func checkMethods(methods []string) error {
	for i, m := range methods {
		if err := forward.CheckMethod(m); err != nil {
			return err
		}
		if slices.Contains(methods[:i], m) {
			return fmt.Errorf("the method %s stands twice", m)
		}
	}
	return nil
}

// checkErrors takes the shapes that this handler knows.
func (h *Handler) checkErrors() error {
	if h.Errors == "" || h.Errors == gateway.Problem {
		return nil
	}
	if slices.ContainsFunc(h.Logins, func(l Login) bool { return l.Dialect == h.Errors }) {
		return nil
	}
	shapes := []string{gateway.Problem}
	for _, l := range h.Logins {
		if !slices.Contains(shapes, l.Dialect) {
			shapes = append(shapes, l.Dialect)
		}
	}
	return fmt.Errorf("errors %s: there is no login %s here: it can be %s", h.Errors, h.Errors, alternatives(shapes))
}
