package issuer

import (
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

const (
	// clockSkew is how far in the future an nbf and an iat may lie, since two
	// machines have two clocks. An exp has no leeway.
	clockSkew = 60 * time.Second
	// maxDate is the last second of the year 9999. It stops arithmetic with
	// times from overflowing.
	maxDate = 253402300799
)

// accept holds verified claims against RFC 7519 section 4.1 and what was
// pinned for the issuer, and returns when they end. Expiry comes last: only a
// token that is right in everything else is told to have expired.
func (i *Issuer) accept(claims map[string]any, now time.Time) (expires time.Time, err error) {
	if claims["iss"] != i.url {
		return time.Time{}, refused(auth.ReasonUnknown)
	}
	for _, name := range []string{"nbf", "iat"} {
		if err := notBefore(claims, name, now); err != nil {
			return time.Time{}, err
		}
	}
	expires, ok := date(claims["exp"])
	if !ok {
		return time.Time{}, refused(auth.ReasonForm)
	}
	if isAnother(claims) {
		return time.Time{}, refused(auth.ReasonUnsupported)
	}
	if !i.isMeant(claims["aud"]) {
		return time.Time{}, refused(auth.ReasonAudience)
	}
	if !now.Before(expires) {
		return time.Time{}, refused(auth.ReasonExpired)
	}
	return expires, nil
}

// notBefore checks a date that may be absent and must not lie ahead.
func notBefore(claims map[string]any, name string, now time.Time) error {
	value, has := claims[name]
	if !has {
		return nil
	}
	if at, ok := date(value); !ok || at.After(now.Add(clockSkew)) {
		return refused(auth.ReasonForm)
	}
	return nil
}

// date reads a NumericDate (RFC 7519 section 2); a fraction is cut off.
func date(value any) (time.Time, bool) {
	f, ok := value.(float64)
	if !ok || f < 1 || f > maxDate {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0).UTC(), true
}

// isMeant reports whether an aud, a text or a list of them, names one of ours.
func (i *Issuer) isMeant(aud any) bool {
	named, ok := texts(aud)
	return ok && slices.ContainsFunc(named, func(a string) bool { return slices.Contains(i.audiences, a) })
}

// notAccess are marks of tokens that are no access tokens, though their issuer
// signs them with the same key (RFC 8725 section 3.12).
var notAccess = map[string][]string{
	"typ":       {"ID", "Refresh", "Offline", "Logout", "Serialized-ID"}, // Keycloak's
	"token_use": {"id", "refresh"},                                       // Cognito's
}

// isAnother reports whether a token is not one that its bearer may call an API
// with: an ID token (OpenID Connect Core 1.0 section 3.3.2.11), an event (RFC
// 8417 section 2.2), or one that counts together with a key alone (RFC 7800
// section 3), which nobody has shown here.
func isAnother(claims map[string]any) bool {
	for _, name := range []string{"at_hash", "c_hash", "s_hash", "events", "cnf"} {
		if _, ok := claims[name]; ok {
			return true
		}
	}
	for name, marks := range notAccess {
		if text, ok := claims[name].(string); ok && slices.Contains(marks, text) {
			return true
		}
	}
	return false
}
