package caddymodule

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// build returns an assertion as the gateway takes it.
func (a *Assertion) build() gateway.Assertion {
	return gateway.Assertion{Field: a.Field, Audience: a.Audience, TTL: time.Duration(a.TTL)}
}

// check holds an assertion against its rules.
func (a *Assertion) check() error {
	for _, name := range a.Audience {
		if strings.ContainsAny(name, "{}") {
			return fmt.Errorf("the audience %q may hold no placeholder: what is asserted must not depend on the request", name)
		}
	}
	return a.build().Check()
}

// checkField and checkTTL are for those who know no more of it yet.
func (a *Assertion) checkField() error {
	return gateway.Assertion{Field: a.Field, Audience: []string{"any"}}.Check()
}

func (a *Assertion) checkTTL() error {
	return gateway.Assertion{TTL: time.Duration(a.TTL), Audience: []string{"any"}}.Check()
}

// assertion returns what is configured, nil for none.
func (h *Handler) assertion() *Assertion {
	if h.Identity == nil {
		return nil
	}
	return h.Identity.Assertion
}

// checkAssertion holds it against the other fields that are told.
func (h *Handler) checkAssertion() error {
	a := h.assertion()
	if a == nil {
		return nil
	}
	field := cmp.Or(a.Field, gateway.AssertionField)
	for _, other := range h.Identity.Headers {
		if sameName(other.Field, field) {
			return fmt.Errorf("identity field %s stands twice", other.Field)
		}
	}
	return a.check()
}

// publishes reports whether the site of this handler has keys to publish.
func (h *Handler) publishes() bool {
	if h.assertion() != nil {
		return true
	}
	for i := range h.Logins {
		if l, err := h.Logins[i].build(); err == nil && l.Publishes() {
			return true
		}
	}
	return false
}
