package authn

import (
	"net/netip"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
)

// Verdict is a verified caller with what every request of theirs needs. It is
// shared between requests: nobody changes one, but for the count of its uses.
type Verdict struct {
	Principal *auth.Principal
	// Identity is what an upstream is told of the caller, worked out once.
	Identity *forward.Identity
	// allowed holds the allow-lists of the account and of the key.
	allowed [][]netip.Prefix
	// idle is nil for a caller whose credential lives without being used.
	idle *idling
	// outside is the key that the token of an outside issuer was verified
	// with, nil for every other caller.
	outside *issuer.Key
}

// over reports whether the credential has ended by an instant in Unix
// nanoseconds.
func (v *Verdict) over(now int64) bool {
	expires := v.Principal.Expires
	return !expires.IsZero() && now >= expires.UnixNano() || v.idle != nil && !v.idle.live(now)
}

// Admits reports whether the caller may come from this address. Each list that
// is not empty must hold it.
func (v *Verdict) Admits(a netip.Addr) bool {
	for _, list := range v.allowed {
		if len(list) > 0 && !Contains(list, a) {
			return false
		}
	}
	return true
}

// Restricted reports whether [Verdict.Admits] needs an address at all.
func (v *Verdict) Restricted() bool { return len(v.allowed) > 0 }

// Contains reports whether one of these prefixes holds the address; an IPv4
// address in IPv6 form counts as what it is.
func Contains(list []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
