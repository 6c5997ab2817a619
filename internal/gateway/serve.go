package gateway

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// Next is what a request that passed goes to. Its error is returned unchanged.
type Next func(http.ResponseWriter, *http.Request) error

// ServeHTTP answers a login call, refuses, or hands on.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request, next Next) error {
	s.fields.Strip(r)
	if s.cfg.Observe {
		s.watch(r)
		return next(w, r)
	}
	to, ok := s.admitted(w, r)
	if !ok {
		return nil
	}
	err := next(to, r)
	if c, ok := to.(*corsWriter); ok && err == nil {
		c.decide() // an answer that nobody wrote is a 200 without a body
	}
	return err
}

// admitted answers a login call or refuses, and then returns false; else the
// request is ready for the upstream, which answers to the writer that is
// returned. A panic is a fault of ours and never a way past.
func (s *Site) admitted(w http.ResponseWriter, r *http.Request) (to http.ResponseWriter, ok bool) {
	shape := s.refuser
	defer s.begin().end()
	defer func() {
		if p := recover(); p != nil {
			s.refuse(w, r, shape, auth.Panicked(p), presented{})
			to, ok = nil, false
		}
	}()
	at, l, err := s.route(r)
	if l != nil {
		shape = l.Refuse // every answer to a dialect's own call has its shape
	}
	if err != nil {
		s.refuse(w, r, shape, err, presented{})
		return nil, false
	}
	if l != nil {
		s.serveLogin(w, r, l)
		return nil, false
	}
	got, err := s.admit(r, at, s.timed(w, r))
	switch {
	case err != nil:
		s.refuse(w, r, shape, err, got)
		return nil, false
	case got.preflight:
		s.answerPreflight(w, r)
		return nil, false
	case got.public:
		return w, true
	}
	return s.readable(w, r), true
}

// route reads the path of a request and finds the login block that answers it,
// nil for none. Nothing is answered before Bind.
func (s *Site) route(r *http.Request) (reading, *login, error) {
	at, l, err := s.read(r)
	s.tracePath(r, at, err)
	if err != nil {
		return reading{}, nil, err
	}
	s.traceLogin(l)
	if !s.ready.Load() {
		return at, l, auth.Fail(auth.Unavailable, auth.ReasonStarting, nil)
	}
	return at, l, nil
}

func (s *Site) loginFor(path string) *login {
	for i := range s.logins {
		for _, route := range s.logins[i].routes {
			if route.Covers(path) {
				return &s.logins[i]
			}
		}
	}
	if s.keys != nil && s.keys.routes[0].Covers(path) {
		return s.keys
	}
	return nil
}

// serveLogin hands a call to its dialect. Logins in TLS early data are the
// dialect's to refuse, as every other request that it cannot take.
func (s *Site) serveLogin(w http.ResponseWriter, r *http.Request, l *login) {
	if s.trace != nil {
		s.trace.leaveTo(l)
		return
	}
	s.attach(r, nil)
	setNoStore(w.Header())
	dialect.Hurry(w, r)
	call := &loginCall{site: s, r: r, dialect: l.kind.Name}
	l.ServeHTTP(w, r.WithContext(call.context()))
}

// admit decides on a request and, where it may pass, makes it ready for the
// upstream. content is the body of the request, as [Site.timed] returns it.
func (s *Site) admit(r *http.Request, at reading, content *body) (presented, error) {
	got, err := s.decide(r, at)
	if err != nil || got.preflight {
		return got, err
	}
	s.strip(r, got)
	if err := content.handOn(); err != nil {
		return got, err
	}
	if err := s.tell(r, got); err != nil {
		return got, err
	}
	s.traceTold(got)
	s.count(got.outcome(), "")
	return got, nil
}
