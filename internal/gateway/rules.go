package gateway

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/policy"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// rule is a [Rule] with its patterns read.
type rule struct {
	paths []policy.Pattern
	match func(*http.Request) (bool, error)
}

type requirement struct {
	rule
	policy.Requirement
	tenants, subjects []string
}

func (s *Site) addRules() error {
	for _, r := range s.cfg.Public {
		if len(r.Paths) == 0 && r.Match == nil {
			return errors.New("public: name paths or a matcher; /* is every path")
		}
		built, err := newRule(r)
		if err != nil {
			return fmt.Errorf("public: %w", err)
		}
		s.public = append(s.public, built)
	}
	for _, r := range s.cfg.Require {
		built, err := newRule(r.Rule)
		if err != nil {
			return fmt.Errorf("require: %w", err)
		}
		s.require = append(s.require, requirement{
			rule: built,
			Requirement: policy.Requirement{
				Roles: r.Roles, Scopes: r.Scopes, Permissions: r.Permissions, SameName: sameTenant,
			},
			tenants: r.Tenants, subjects: r.Subjects,
		})
	}
	return nil
}

// sameTenant compares names of tenants as the store does.
func sameTenant(a, b string) bool {
	keyA, errA := store.TenantKey(a)
	keyB, errB := store.TenantKey(b)
	return errA == nil && errB == nil && keyA == keyB
}

func newRule(r Rule) (rule, error) {
	built := rule{match: r.Match}
	for _, text := range r.Paths {
		p, err := policy.ParsePattern(text)
		if err != nil {
			return rule{}, err
		}
		built.paths = append(built.paths, p)
	}
	return built, nil
}

// isPublic reports whether a request needs no credential, in whatever way its
// path is read. Another spelling than that of the patterns is not public.
func (s *Site) isPublic(at reading, r *http.Request) (bool, error) {
	rule, err := -1, error(nil)
	for path := range at.in(r) {
		if rule, err = s.opening(path, r); rule < 0 {
			break
		}
	}
	if err == nil {
		s.tracePublic(rule)
	}
	return rule >= 0, err
}

// opening returns which public rule opens a request, -1 for none.
func (s *Site) opening(path string, r *http.Request) (int, error) {
	for i := range s.public {
		ok, err := s.public[i].selects(s.cfg.Paths.Opens, path, r)
		switch {
		case err != nil:
			return -1, err
		case ok:
			return i, nil
		}
	}
	return -1, nil
}

// selects reports whether the rule is about a request; one without paths and
// matcher is about all.
func (u *rule) selects(match func(policy.Pattern, string) bool, path string, r *http.Request) (bool, error) {
	for _, p := range u.paths {
		if match(p, path) {
			return true, nil
		}
	}
	if u.match != nil {
		return u.match(r)
	}
	return len(u.paths) == 0, nil
}

// authorize holds a request against every requirement that is about it, in
// whatever way its path is read. Paths match without regard to case: another
// spelling is no way around. p is nil for an anonymous caller. With an error
// comes which requirement it is, counted from 1.
func (s *Site) authorize(at reading, r *http.Request, p *auth.Principal) (rule int, err error) {
	for path := range at.in(r) {
		if rule, err = s.holdAll(path, r, p); err != nil {
			return rule, err
		}
	}
	return 0, nil
}

func (s *Site) holdAll(path string, r *http.Request, p *auth.Principal) (rule int, err error) {
	for i := range s.require {
		about, err := s.hold(path, r, &s.require[i], p)
		s.traceRequire(i, about, err)
		if err != nil {
			return i + 1, err
		}
	}
	return 0, nil
}

// hold returns nil where a requirement lets the caller make the request, and
// whether it is about it at all.
func (s *Site) hold(path string, r *http.Request, q *requirement, p *auth.Principal) (about bool, err error) {
	about, err = q.selects(policy.Pattern.MatchFold, path, r)
	switch {
	case err != nil:
		return about, auth.Fail(auth.Internal, "", err)
	case !about:
		return false, nil
	case p == nil:
		return true, auth.Fail(auth.NoCredential, "", nil)
	}
	return true, s.allow(r, q, p)
}

// allow holds a caller against the lines of a requirement.
func (s *Site) allow(r *http.Request, q *requirement, p *auth.Principal) error {
	tenants, err := s.expandAll(r, q.tenants, auth.ReasonTenant)
	if err != nil {
		return err
	}
	subjects, err := s.expandAll(r, q.subjects, auth.ReasonSubject)
	if err != nil {
		return err
	}
	return q.Allow(p, tenants, subjects)
}

// expandAll replaces the placeholders of templates. A value that is not known
// allows nobody, for this reason.
func (s *Site) expandAll(r *http.Request, templates []string, reason auth.Reason) ([]string, error) {
	if len(templates) == 0 {
		return nil, nil
	}
	values := make([]string, len(templates))
	for i, t := range templates {
		v, err := s.expand(r, t)
		if err != nil {
			return nil, auth.Fail(auth.InsufficientScope, reason, err)
		}
		values[i] = v
	}
	return values, nil
}
