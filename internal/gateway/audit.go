package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

func (s *Site) count(o Outcome, reason auth.Reason) {
	if s.cfg.Hooks.Count != nil {
		s.cfg.Hooks.Count(o, reason)
	}
}

// attach makes the caller known to the server, whatever becomes of the request:
// logs and templates name them on a refusal too. nil is nobody.
func (s *Site) attach(r *http.Request, v *authn.Verdict) {
	if s.cfg.Hooks.Attach != nil {
		s.cfg.Hooks.Attach(r, v)
	}
}

func (s *Site) audit(ctx context.Context, e auth.Event) {
	if !e.OK {
		failed(ctx)
	}
	if s.cfg.Hooks.Audit != nil {
		e.RequestID = s.requestID(ctx)
		s.cfg.Hooks.Audit(ctx, e)
	}
}

func (s *Site) requestID(ctx context.Context) string {
	if s.cfg.Hooks.RequestID == nil {
		return ""
	}
	return s.cfg.Hooks.RequestID(ctx)
}

// reasonOf is the label of a refusal: its reason, or the code where that says
// it all.
func reasonOf(e *auth.Error) auth.Reason {
	if e.Reason != "" {
		return e.Reason
	}
	return auth.Reason(e.Code.String())
}

// shownPath returns the path of a request as the log may show it: as it came,
// but for what may be a token.
func (s *Site) shownPath(r *http.Request) string {
	return cut(dialect.HideTokens(r.URL.EscapedPath(), s.TokenPaths()...), maxPath)
}

// The bounds of what a request says of itself in the log, in bytes. Anybody can
// be refused, with a path of a megabyte: the log is no place to keep it.
const (
	maxMethod = 32
	maxHost   = 255 // of a name (RFC 1035 section 2.3.4)
	maxPath   = 2048
)

// cut shortens a text and marks that it did. What is not whole characters of
// UTF-8 at the end goes too.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// auditRefusal writes who was refused what, as far as that is known. The query
// is left out: it may hold a credential.
func (s *Site) auditRefusal(r *http.Request, e *auth.Error, got presented, observed bool) {
	event := auth.Event{
		Kind: auth.RefusalEvent, Realm: s.cfg.Realm, Credential: got.credential.Kind, Address: s.address(r),
		Method: cut(r.Method, maxMethod), Host: cut(r.Host, maxHost), Path: s.shownPath(r), Rule: got.rule, Observed: observed,
	}.Failed(e)
	if p := got.principal(); p != nil {
		event.Subject, event.TokenID, event.KeyID = p.Subject, p.TokenID, p.KeyID
	} else if g, ok := errors.AsType[*authn.Genuine](e); ok {
		event.Subject, event.TokenID, event.KeyID = g.Subject, g.TokenID, g.KeyID
	}
	s.audit(r.Context(), event)
}
