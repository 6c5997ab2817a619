package authn

import (
	"context"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Genuine is the cause inside the refusal of a credential that was issued here
// and does not count: it expired, was revoked, or its account is disabled. It
// names what was presented, for operators and never for whoever presented it.
type Genuine struct {
	// Subject is an account or as [KeySubject] has it.
	Subject string
	// TokenID and KeyID are "" and 0 where there is no such part.
	TokenID string
	KeyID   int64

	err error
}

func (g *Genuine) Error() string {
	text := fmt.Sprintf("token %q and key %d of %q", g.TokenID, g.KeyID, g.Subject)
	if g.err != nil {
		text += ": " + g.err.Error()
	}
	return text
}

// Unwrap returns what is said of it beside, nil for nothing.
func (g *Genuine) Unwrap() error { return g.err }

// inside puts what was found into a refusal of the credential, and leaves every
// other error.
func (g *Genuine) inside(err error) error {
	e := auth.AsError(err)
	if e.Code != auth.InvalidCredential || g.Subject == "" {
		return err
	}
	found := *g
	found.err = e.Err
	return auth.Fail(e.Code, e.Reason, &found)
}

// Genuine names the credential of a verdict, for who refuses it all the same.
func (v *Verdict) Genuine() *Genuine {
	return &Genuine{Subject: v.Principal.Subject, TokenID: v.Principal.TokenID, KeyID: v.Principal.KeyID}
}

// Recall says what a genuine credential is worth now, as the resolver would if
// it were presented; of a token with a key the token decides, as it does then.
// A subject alone is an account or key that was known without either.
// Nothing is cached.
//
// Errors: those of Resolve; [auth.InvalidCredential] with [auth.ReasonUnknown]
// where the store has no such row any more.
func (r *Resolver) Recall(ctx context.Context, realm string, g Genuine) (*Verdict, error) {
	l := r.newLookup(realm, "")
	if err := l.recall(ctx, g); err != nil {
		return nil, err
	}
	return l.verdict(), nil
}

func (l *lookup) recall(ctx context.Context, g Genuine) error {
	switch {
	case g.TokenID != "":
		s, err := l.rows.Sessions.Session(ctx, l.realm, store.SessionRef{ID: g.TokenID})
		if err != nil {
			return absent(err)
		}
		return l.useSession(ctx, s, s.Kind)
	case g.KeyID != 0:
		k, err := l.rows.Keys.Key(ctx, l.realm, g.KeyID)
		if err != nil {
			return absent(err)
		}
		return l.useKeyAlone(ctx, k)
	}
	return l.subject(ctx, g.Subject, "")
}
