package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// JWKSPath is where a site that has public keys serves them, to anyone.
const JWKSPath = "/.well-known/jwks.json"

// jwksAge is how long a set may be kept without asking again, in seconds. Who
// meets an unknown kid has to ask before that.
const jwksAge = "60"

// publicKeys serves the public halves of the keys that verify what a site gives
// to others: access tokens of RFC 9068 and assertions. It is no login API, but
// stands at a path of its own as one does.
type publicKeys struct {
	site *Site
	what token.Published
	// access are the access tokens whose keys are made before the first of
	// them, so that who asks early knows them.
	access []token.Access
}

// addKeys has the site serve its public keys, if it has any.
func (s *Site) addKeys() error {
	keys := publicKeys{site: s}
	for _, l := range s.cfg.Logins {
		if l.Publishes() {
			keys.access, keys.what.Tokens = append(keys.access, *l.sessions("").Access), true
		}
	}
	keys.what.Assertions = s.cfg.Assertion != nil
	if keys.what == (token.Published{}) {
		return nil
	}
	if l, _, ok := s.claimed(KeyRoutes()); ok {
		return fmt.Errorf("login %s %s answers %s, where the keys of this site are served: give it another path", l.kind.Name, l.base, JWKSPath)
	}
	s.keys = &login{Dialect: keys, base: JWKSPath, routes: KeyRoutes()}
	return nil
}

// KeyRoutes lists the paths at which keys are served.
func KeyRoutes() []dialect.Route { return []dialect.Route{{Path: JWKSPath, Exact: true}} }

// Publishes reports whether others verify what a login gives, with keys that
// its site serves.
func (l Login) Publishes() bool {
	c := l.sessions("")
	return c.JWT && c.Access != nil
}

// Routes implements [dialect.Dialect].
func (publicKeys) Routes() []dialect.Route { return KeyRoutes() }

// ServeHTTP implements [dialect.Dialect].
func (k publicKeys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		dialect.Refused(r.Context(), auth.Fail(auth.Malformed, auth.ReasonMethod, nil))
		w.Header().Set("Allow", "GET, HEAD")
		writeProblem(w, http.StatusMethodNotAllowed)
		return
	}
	set, err := k.set(r.Context())
	if err != nil {
		dialect.Refused(r.Context(), err)
		k.Refuse(w, r, dialect.Refusal{Err: auth.AsError(err)})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json") // RFC 7517 section 8.5.2
	h.Set("Cache-Control", "public, max-age="+jwksAge)
	_, _ = w.Write(set)
}

// Refuse implements [dialect.Dialect].
func (k publicKeys) Refuse(w http.ResponseWriter, r *http.Request, refusal dialect.Refusal) {
	k.site.refuseProblem(w, r, refusal)
}

func (k publicKeys) set(ctx context.Context) ([]byte, error) {
	signers := k.site.deps.Signers
	for _, a := range k.access {
		if err := signers.Prepare(ctx, a); err != nil {
			return nil, err
		}
	}
	if k.what.Assertions {
		if err := signers.PrepareAssertions(ctx); err != nil {
			return nil, err
		}
	}
	return signers.Publish(ctx, k.what)
}
