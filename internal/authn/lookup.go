package authn

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/forward"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// keySubject begins the subject of a key that belongs to no account. No
// account id does: those are UUIDs.
const keySubject = "key:"

// KeySubject returns the subject of a key that belongs to no account.
func KeySubject(id int64) string { return keySubject + strconv.FormatInt(id, 10) }

// lookup is one credential on its way to a verdict: what was found so far and
// the tags that the verdict will rest on.
type lookup struct {
	*Resolver
	realm string
	now   time.Time
	p     auth.Principal
	tags  []tag
	allow [][]netip.Prefix
	idle  *idling
	// outside is the key of an outside issuer, nil for what is issued here.
	outside *issuer.Key
	// found is what a genuine credential is, good or not.
	found Genuine
}

func (r *Resolver) lookup(ctx context.Context, q question) (*Verdict, []tag, error) {
	l := r.newLookup(q.realm, q.credential.Kind)
	if err := l.answer(ctx, q); err != nil {
		return nil, nil, l.found.inside(err)
	}
	return l.verdict(), l.tags, nil
}

func (r *Resolver) newLookup(realm string, kind auth.CredentialKind) *lookup {
	l := &lookup{Resolver: r, realm: realm, now: r.now()}
	l.p = auth.Principal{Realm: realm, Credential: kind, Permissions: auth.AllPermissions}
	l.tags = append(l.tags, tag{kind: store.AllChanged})
	return l
}

func (l *lookup) verdict() *Verdict {
	p := &l.p
	return &Verdict{Principal: p, Identity: forward.NewIdentity(p), allowed: l.allow, idle: l.idle, outside: l.outside}
}

// answer verifies a token that says it is of a trusted issuer, and reads every
// other credential. A token that its issuer did not sign is nothing else
// either.
func (l *lookup) answer(ctx context.Context, q question) error {
	if q.trust != nil {
		if t := q.trust.Read(q.credential.Token); t != nil {
			return l.verify(ctx, t)
		}
	}
	return l.read(ctx, q.credential)
}

func (l *lookup) read(ctx context.Context, c bearer.Credential) error {
	switch c.Kind {
	case auth.Bearer:
		return l.tokenOrKey(ctx, c)
	case auth.Query, auth.Body:
		return l.token(ctx, c.Token, store.AccessToken)
	case auth.APIKey, auth.Basic:
		return l.key(ctx, c.Key)
	case auth.KeyUserToken:
		return l.triple(ctx, c)
	}
	return auth.Fail(auth.Internal, auth.ReasonUnsupported, nil)
}

func (l *lookup) on(kind store.ChangeKind, id string) {
	l.tags = append(l.tags, tag{kind, l.realm, id})
}

func refused(reason auth.Reason) error { return auth.Fail(auth.InvalidCredential, reason, nil) }

// absent makes [auth.NotFound] of a row that a credential names the refusal of
// that credential, and leaves every other error.
func absent(err error) error {
	if auth.CodeOf(err) == auth.NotFound {
		return refused(auth.ReasonUnknown)
	}
	return err
}

// tokenOrKey reads a Bearer that may be an API key instead: one that is no
// token at all. A token that was withdrawn or has expired is that, whatever
// else its text may be.
func (l *lookup) tokenOrKey(ctx context.Context, c bearer.Credential) error {
	s, err := l.session(ctx, c.Token)
	if auth.IsNotFound(err) && c.Key != "" {
		l.p.Credential = auth.APIKey
		return l.key(ctx, c.Key)
	}
	if err != nil {
		return absent(err)
	}
	return l.useSession(ctx, s, store.AccessToken)
}

// token follows a token of this kind to its session and the account behind it.
func (l *lookup) token(ctx context.Context, text string, kind store.SessionKind) error {
	s, err := l.session(ctx, text)
	if err != nil {
		return absent(err)
	}
	return l.useSession(ctx, s, kind)
}

// useSession refuses a session that no longer counts or is of another kind,
// and takes over who it speaks for.
func (l *lookup) useSession(ctx context.Context, s store.Session, kind store.SessionKind) error {
	l.found.Subject, l.found.TokenID = s.Subject, s.ID
	if s.Kind != kind || !s.Retired.IsZero() {
		return refused(auth.ReasonUnknown)
	}
	if !l.now.Before(End(s)) {
		return refused(auth.ReasonExpired)
	}
	if s.Idle > 0 {
		l.idle = newIdling(s)
	}
	l.on(store.SessionChanged, s.ID)
	l.p.TokenID, l.p.Dialect, l.p.Expires = s.ID, s.Dialect, s.Expires
	l.p.Scopes, l.p.Unit = s.Scopes, s.Unit
	if s.KeyID != 0 {
		if err := l.sessionKey(ctx, s); err != nil {
			return err
		}
	}
	return l.subject(ctx, s.Subject, s.Tenant)
}

// session finds the row of a token. A JWT is verified and then found by its
// token ID, and must be the very text that was issued: so a revoked one stays
// revoked however it is spelled. One whose signing key does not open here, since
// a gateway with another key ring made it, is found like an opaque token: the
// digest of its whole text is known only of what was issued. [auth.NotFound]
// where there is no such row.
func (l *lookup) session(ctx context.Context, text string) (store.Session, error) {
	d := auth.DigestOf(text)
	ref := store.SessionRef{Digest: d}
	if l.signers != nil && l.signers.Ours(text) {
		claims, err := l.signers.Verify(ctx, l.realm, text)
		switch {
		case err == nil:
			ref = store.SessionRef{ID: claims.ID}
		case !errors.Is(err, token.ErrUnusable):
			return store.Session{}, err
		}
	}
	s, err := l.rows.Sessions.Session(ctx, l.realm, ref)
	if err != nil {
		return s, err
	}
	if !s.Digest.Equal(d) {
		return s, refused(auth.ReasonSignature)
	}
	return s, nil
}

// sessionKey checks the key that a token was obtained with: a token dies with
// its key and may do no more than it.
func (l *lookup) sessionKey(ctx context.Context, s store.Session) error {
	k, err := l.rows.Keys.Key(ctx, l.realm, s.KeyID)
	if err != nil {
		return absent(err)
	}
	return l.useKey(k)
}

func (l *lookup) key(ctx context.Context, text string) error {
	k, err := l.rows.Keys.KeyByDigest(ctx, l.realm, auth.DigestOf(text))
	if err != nil {
		return absent(err)
	}
	return l.useKeyAlone(ctx, k)
}

// useKeyAlone takes over who a key speaks for that is the whole credential.
func (l *lookup) useKeyAlone(ctx context.Context, k store.Key) error {
	l.found.Subject = subjectOf(k)
	if err := l.useKey(k); err != nil {
		return err
	}
	l.p.Scopes = k.Scopes
	return l.subject(ctx, l.found.Subject, k.Tenant)
}

func subjectOf(k store.Key) string {
	if k.Account == "" {
		return KeySubject(k.ID)
	}
	return k.Account
}

// useKey refuses a key that no longer counts, and takes over what it limits. Of
// two, the one that a token was obtained with and the one beside it, each does.
func (l *lookup) useKey(k store.Key) error {
	if err := l.counts(k); err != nil {
		return err
	}
	l.on(store.KeyChanged, strconv.FormatInt(k.ID, 10))
	l.p.KeyID = k.ID
	l.p.Permissions &= k.Permissions
	if !k.Expires.IsZero() && (l.p.Expires.IsZero() || k.Expires.Before(l.p.Expires)) {
		l.p.Expires = k.Expires
	}
	l.restrict(k.Addresses)
	_ = l.rows.Keys.TouchKey(context.Background(), l.realm, k.ID, l.now) // written late; losing one costs nothing
	return nil
}

// counts refuses a key that was revoked or has expired.
func (l *lookup) counts(k store.Key) error {
	l.found.KeyID = k.ID
	if !k.Revoked.IsZero() {
		return refused(auth.ReasonRevoked)
	}
	if !k.Expires.IsZero() && !l.now.Before(k.Expires) {
		return auth.Fail(auth.InvalidCredential, auth.ReasonExpired, auth.ErrKey)
	}
	return nil
}

func (l *lookup) restrict(list []netip.Prefix) {
	if len(list) > 0 {
		l.allow = append(l.allow, list)
	}
}
