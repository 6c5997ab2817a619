package authn

import (
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// triple reads apikey + userid + token, or apikey + entity token: all parts
// must be genuine and agree with each other. A key that is no longer good costs
// what one costs that never was, and hears no more: what stands beside it is
// not looked at.
func (l *lookup) triple(ctx context.Context, c bearer.Credential) error {
	k, err := l.rows.Keys.KeyByDigest(ctx, l.realm, auth.DigestOf(c.Key))
	if err != nil {
		return absent(err)
	}
	if err := l.counts(k); err != nil {
		return err
	}
	if c.Entity != "" {
		err = l.entityToken(ctx, c)
	} else {
		err = l.userToken(ctx, c)
	}
	if err != nil {
		return err
	}
	if !l.belongs(k) {
		return refused(auth.ReasonMismatch)
	}
	if err := l.useKey(k); err != nil {
		return err
	}
	return l.keepTo(ctx, k.Tenant)
}

func (l *lookup) userToken(ctx context.Context, c bearer.Credential) error {
	if err := l.token(ctx, c.Token, store.AccessToken); err != nil {
		return err
	}
	return l.sameUser(ctx, c.User)
}

// entityToken reads the token that stands in for userid and token. It decides
// alone, but neither of the two may be of another account where they are sent
// along: the public client sends all it has, with a user token that may have
// expired long ago.
func (l *lookup) entityToken(ctx context.Context, c bearer.Credential) error {
	if err := l.token(ctx, c.Entity, store.EntityToken); err != nil {
		return err
	}
	if c.User != "" {
		if err := l.sameUser(ctx, c.User); err != nil {
			return err
		}
	}
	return l.notAnothers(ctx, c.Token)
}

// notAnothers refuses a token that is known to be of another account, whether
// it is good or not. The digest finds a JWT too.
func (l *lookup) notAnothers(ctx context.Context, text string) error {
	if text == "" {
		return nil
	}
	s, err := l.rows.Sessions.Session(ctx, l.realm, store.SessionRef{Digest: auth.DigestOf(text)})
	if auth.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.Subject != l.p.Subject {
		return refused(auth.ReasonMismatch)
	}
	return nil
}

// belongs reports whether the key may stand beside the token: of the same
// account, or of a tenant or the gateway and of no account.
func (l *lookup) belongs(k store.Key) bool {
	if k.Account != "" {
		return k.Account == l.p.Subject
	}
	return k.Tenant != "" || k.Gateway
}

// keepTo binds who was found to the tenant of the key, "" for one of none: a
// token that is good in several counts in that one only beside such a key.
func (l *lookup) keepTo(ctx context.Context, tenant string) error {
	if tenant == "" || tenant == l.p.Tenant {
		return nil
	}
	if !slices.ContainsFunc(l.p.Tenants, func(t auth.TenantRef) bool { return t.ID == tenant }) {
		return auth.Fail(auth.InvalidCredential, auth.ReasonTenant, auth.ErrKey)
	}
	l.p.Tenant, l.p.Tenants = tenant, nil
	return l.memberships(ctx, tenant)
}

func (l *lookup) sameUser(ctx context.Context, ref string) error {
	a, err := l.rows.Accounts.Account(ctx, l.realm, ref)
	if err != nil {
		return absent(err)
	}
	if a.ID != l.p.Subject {
		return refused(auth.ReasonMismatch)
	}
	return nil
}
