package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
)

// credentialKinds are the kinds that accept knows.
var credentialKinds = []string{
	string(auth.Bearer), string(auth.APIKey), string(auth.KeyUserToken),
	string(auth.Basic), string(auth.Query), string(auth.Body),
}

func isCredentialKind(word string) bool { return slices.Contains(credentialKinds, word) }

// spec returns an accepted credential as the gateway takes it.
func (a Accept) spec() (bearer.Spec, error) {
	s := bearer.Spec{Kind: auth.CredentialKind(a.Kind), Name: a.Name}
	if !isCredentialKind(a.Kind) {
		return s, fmt.Errorf("there is no credential %q: it can be %s", a.Kind, alternatives(credentialKinds))
	}
	if err := s.Check(); err != nil {
		return s, fmt.Errorf("accept %s: %w", a, err)
	}
	return s, nil
}

// String returns the credential as it stands in a Caddyfile.
func (a Accept) String() string { return strings.TrimSpace(a.Kind + " " + a.Name) }

// specs returns what accept names, nil where nothing is named.
func specs(accept []Accept) ([]bearer.Spec, error) {
	var all []bearer.Spec
	for _, a := range accept {
		s, err := a.spec()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, s.SameSource) {
			return nil, fmt.Errorf("accept %s stands twice", a)
		}
		all = append(all, s)
	}
	return all, nil
}

// checkAccept refuses a handler that no caller could pass.
func (h *Handler) checkAccept() error {
	if len(h.Accept) == 0 && len(h.Logins) == 0 && len(h.Trust) == 0 {
		return errors.New("nothing is accepted: add a login, an accept or a trust")
	}
	return nil
}

// checkIdentity refuses identity fields that callers present a credential in.
func (h *Handler) checkIdentity() error {
	if h.Identity == nil {
		return nil
	}
	accepted, err := h.accepted()
	if err != nil {
		return err
	}
	taken := bearer.NewChain(accepted, nil).Headers()
	for _, i := range h.Identity.Headers {
		if err := forward.CheckName(i.Field, taken); err != nil {
			return err
		}
	}
	if a := h.Identity.Assertion; a != nil && a.Field != "" {
		return forward.CheckName(a.Field, taken)
	}
	return nil
}

// accepted returns the credentials that count: those that accept names, or
// those of the dialects and of outside issuers.
func (h *Handler) accepted() ([]bearer.Spec, error) {
	if len(h.Accept) > 0 {
		return specs(h.Accept)
	}
	var all []bearer.Spec
	for i := range h.Logins {
		l, err := h.Logins[i].build()
		if err != nil {
			return nil, err
		}
		all = append(all, l.Kind.Credentials(l.Config)...)
	}
	if len(h.Trust) > 0 {
		all = append(all, bearer.Spec{Kind: auth.Bearer})
	}
	return all, nil
}
