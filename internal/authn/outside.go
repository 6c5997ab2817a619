package authn

import (
	"context"
	"crypto/sha256"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
)

// outsiders returns trust where the credential may be of one of its issuers:
// a Bearer that is a JWT and was not issued here. Who issues here is told by
// the key id, which is made under our key ring, and never by the iss.
func (r *Resolver) outsiders(trust *issuer.Trust, c bearer.Credential) *issuer.Trust {
	if r.issuers == nil || c.Kind != auth.Bearer || !issuer.MayRead(c.Token) {
		return nil
	}
	if r.signers != nil && r.signers.Ours(c.Token) {
		return nil
	}
	return trust
}

// under makes the key one of a site that trusts these issuers, in just this
// way: what one site allows is no verdict for another.
func (k cacheKey) under(trust *issuer.Trust) cacheKey {
	var b [2 * sha256.Size]byte
	id := trust.ID()
	copy(b[:], id[:])
	copy(b[sha256.Size:], k[:])
	return sha256.Sum256(b[:])
}

// verify takes over who the token of an outside issuer speaks for.
func (l *lookup) verify(ctx context.Context, t *issuer.Token) error {
	p, key, err := l.issuers.Verify(ctx, t)
	if err != nil {
		return err
	}
	p.Realm, p.Credential = l.p.Realm, l.p.Credential
	l.p, l.outside = p, key
	return nil
}
