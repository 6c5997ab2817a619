package gateway

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// watch decides as enforcing would and logs what it would have refused. It
// refuses nothing, keeps the credentials, and tells the upstream of a caller
// only where the verdict is good. Login calls are not answered: the upstream
// goes on answering its own. Identity fields of the client were stripped.
func (s *Site) watch(r *http.Request) {
	defer s.begin().end()
	got, guarded, err := s.judge(r)
	if err == nil {
		err = contain(func() error { return s.tell(r, got) })
	} else {
		_ = contain(func() error { s.attach(r, nil); return nil })
	}
	switch {
	case err != nil:
		failure := auth.AsError(err)
		s.count(Observed, reasonOf(failure))
		s.auditRefusal(r, failure, got, true)
		s.traceRefused(failure, got, true)
	case guarded:
		s.traceTold(got)
		s.count(got.outcome(), "")
	}
}

// judge decides without touching the request; guarded is false for what the
// site would answer itself: the call of a dialect and a preflight.
func (s *Site) judge(r *http.Request) (got presented, guarded bool, err error) {
	err = contain(func() error {
		at, l, err := s.route(r)
		if err != nil || l != nil {
			return err
		}
		got, err = s.decide(r, at)
		guarded = !got.preflight
		return err
	})
	return got, guarded, err
}

// contain makes an error of a panic.
func contain(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = auth.Panicked(p)
		}
	}()
	return do()
}
