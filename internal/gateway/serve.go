package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
	"github.com/gatehouse-auth/gatehouse/internal/policy"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Next is what a request that passed goes to. Its error is returned unchanged.
type Next func(http.ResponseWriter, *http.Request) error

// ServeHTTP answers a login call, refuses, or hands on.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request, next Next) error {
	if !s.ready.Load() {
		return s.refuse(w, r, auth.Fail(auth.Unavailable, auth.ReasonStarting, nil), presented{})
	}
	if s.cfg.Observe {
		return s.observe(w, r, next)
	}
	path, err := policy.ReadPath(r.RequestURI, r.URL)
	if err != nil {
		return s.refuse(w, r, err, presented{})
	}
	if l := s.loginFor(path); l != nil {
		return s.serveLogin(w, r, l)
	}
	if pass, err := s.guard(w, r, path); err != nil || !pass {
		return err
	}
	return next(w, r)
}

// guard decides on a request and makes it ready for the upstream. It reports
// false where it has answered. A panic here is a fault of ours: it is never a
// way past.
func (s *Site) guard(w http.ResponseWriter, r *http.Request, path string) (pass bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			pass, err = false, s.refuse(w, r, auth.Fail(auth.Internal, "", fmt.Errorf("panic: %v", p)), presented{})
		}
	}()
	if !forward.Method(r.Method, s.cfg.Methods) {
		return false, s.refuse(w, r, auth.Fail(auth.Malformed, auth.ReasonMethod, nil), presented{})
	}
	s.fields.Strip(r)
	got, err := s.decide(r, path)
	if err != nil {
		return false, s.refuse(w, r, err, got)
	}
	if !s.cfg.KeepCredentials {
		s.chain.Strip(r)
	}
	if err := s.tell(r, got); err != nil {
		return false, s.refuse(w, r, err, got)
	}
	s.count(got.outcome(), "")
	return true, nil
}

// nobody is told of a caller that is not known.
var nobody forward.Identity

// tell sets what the upstream learns of the caller, and makes the caller known
// to the server first: a template may name it.
func (s *Site) tell(r *http.Request, got presented) error {
	s.attach(r, got.verdict)
	identity := &nobody
	if got.verdict != nil {
		identity = got.verdict.Identity
	}
	if len(s.names) == 0 {
		identity.Set(r.Header)
		return nil
	}
	extra := make([]forward.Field, len(s.names))
	for i, name := range s.names {
		value, err := s.cfg.Hooks.Expand(r, s.cfg.Fields[i].Value)
		if err != nil {
			return auth.Fail(auth.Internal, "", fmt.Errorf("identity field %s: %w", name, err))
		}
		extra[i] = forward.Field{Name: name, Value: value}
	}
	identity.Set(r.Header, extra...)
	return nil
}

// observe decides and logs, and forwards whatever was decided, login calls
// too: the upstream goes on answering its own.
func (s *Site) observe(w http.ResponseWriter, r *http.Request, next Next) error {
	got, err := s.judge(r)
	s.fields.Strip(r)
	if err == nil {
		if err := s.tell(r, got); err != nil {
			return err
		}
		s.count(got.outcome(), "")
		return next(w, r)
	}
	failure := auth.AsError(err)
	s.count(Observed, reasonOf(failure))
	s.auditRefusal(r, failure, got, true)
	if err := s.tell(r, presented{}); err != nil {
		return err
	}
	return next(w, r)
}

// judge decides without touching the request.
func (s *Site) judge(r *http.Request) (got presented, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = auth.Fail(auth.Internal, "", fmt.Errorf("panic: %v", p))
		}
	}()
	path, err := policy.ReadPath(r.RequestURI, r.URL)
	if err != nil {
		return presented{}, err
	}
	if s.loginFor(path) != nil {
		return presented{}, nil
	}
	if !forward.Method(r.Method, s.cfg.Methods) {
		return presented{}, auth.Fail(auth.Malformed, auth.ReasonMethod, nil)
	}
	return s.decide(r, path)
}

func (s *Site) loginFor(path string) *login {
	for i := range s.logins {
		for _, route := range s.logins[i].routes {
			if route.Covers(path) {
				return &s.logins[i]
			}
		}
	}
	return nil
}

// errEarlyData is answered 425: a login in TLS 1.3 early data can be replayed
// by whoever recorded it (RFC 8470 section 5.1).
var errEarlyData = errors.New("sent in early data")

func (s *Site) serveLogin(w http.ResponseWriter, r *http.Request, l *login) error {
	s.attach(r, nil)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if strings.TrimSpace(r.Header.Get("Early-Data")) == "1" {
		return s.refuse(w, r, auth.Fail(auth.Unavailable, auth.ReasonEarlyData, errEarlyData), presented{})
	}
	ctx := session.WithAddress(r.Context(), s.address(r))
	l.ServeHTTP(w, r.WithContext(ctx))
	return nil
}
