package auth

import "net/netip"

// Event is one line of the audit log. It never holds a secret.
type Event struct {
	Kind    EventKind
	Realm   string
	Dialect string
	// Name is the login name as it was sent, cut to a bound.
	Name    string
	Subject string
	// TokenID is the accessor and KeyID the API key, where one is known.
	TokenID string
	KeyID   int64
	// Credential is the kind that was presented to the guard.
	Credential CredentialKind
	// Code and Reason say why; both are meaningless where OK is set.
	OK     bool
	Code   Code
	Reason Reason
	// Cause says what went wrong with us, for operators; nil where the
	// failure is the caller's.
	Cause   error
	Address netip.Addr
	// RequestID is the server's own name of the request, "" where it has none.
	RequestID string
	// Method, Host and Path are those of a refused request; the path has no
	// query.
	Method, Host, Path string
	// Rule is the requirement that did not hold, counted from 1; 0 for none.
	Rule int
	// Observed says that a refusal was only logged, not carried out.
	Observed bool
}

// Failed returns e as the event of a failure. The cause is kept for faults of
// ours alone: only those are not said by code and reason.
func (e Event) Failed(err error) Event {
	failure := AsError(err)
	e.OK, e.Code, e.Reason = false, failure.Code, failure.Reason
	if e.Reason == "" {
		e.Reason = Reason(e.Code.String())
	}
	if failure.Code == Internal || failure.Code == Unavailable {
		e.Cause = failure.Err
	}
	return e
}

// EventKind says what happened.
type EventKind string

// The kinds of event.
const (
	LoginEvent      EventKind = "login"
	RefreshEvent    EventKind = "refresh"
	RefusalEvent    EventKind = "refusal"
	RevocationEvent EventKind = "revocation"
)
