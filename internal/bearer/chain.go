package bearer

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// maxPresented bounds how many credentials one request may bring. It keeps
// [Presented] an array, and stops a caller from costing a lookup per source.
const maxPresented = 4

// Presented is what a request brought, in the order of the chain. It is an
// array, so that reading allocates nothing.
type Presented struct {
	list [maxPresented + 1]Credential // the last is room to read one too many
	n    int
}

// Len returns how many credentials were presented.
func (p *Presented) Len() int { return p.n }

// At returns the credential at i, from 0 to Len()-1.
func (p *Presented) At(i int) Credential { return p.list[:p.n][i] }

// Format prints [auth.Redacted], whatever the verb.
func (Presented) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(auth.Redacted)) }

// MarshalText returns the same as [Presented.Format], for JSON and loggers.
func (Presented) MarshalText() ([]byte, error) { return []byte(auth.Redacted), nil }

func (p *Presented) has(match func(Credential) bool) bool {
	return slices.ContainsFunc(p.list[:p.n], match)
}

// Chain reads all the sources that a site accepts, in order. It is safe for
// concurrent use.
type Chain struct {
	specs  []Spec
	yields [][2]auth.CredentialKind
	// shared says that one header is both an APIKey and the key of
	// KeyUserToken: then it is the latter's where other parts stand beside it.
	shared bool
}

// NewChain returns a chain of these specs, each of which passes [Spec.Check].
// Specs of one source become one, in the place of the first, that accepts the
// form of either and all that one of them allows. Each of yields is a pair where a bad credential of the first
// kind counts as absent beside one of the second.
func NewChain(specs []Spec, yields [][2]auth.CredentialKind) *Chain {
	c := &Chain{yields: slices.Clone(yields)}
	for _, s := range specs {
		c.add(s)
	}
	// Bodies come last: they are read only where nothing else is presented.
	slices.SortStableFunc(c.specs, func(a, b Spec) int { return bodyLast(a) - bodyLast(b) })
	c.shared = slices.ContainsFunc(c.specs, func(s Spec) bool { return s.Kind == auth.KeyUserToken })
	return c
}

func bodyLast(s Spec) int {
	if s.Kind == auth.Body {
		return 1
	}
	return 0
}

func (c *Chain) add(s Spec) {
	if s.Kind == auth.APIKey {
		s.Name, s.canonical = s.header(), s.header()
	}
	at := slices.IndexFunc(c.specs, s.SameSource)
	if at < 0 {
		c.specs = append(c.specs, s)
		return
	}
	known := &c.specs[at]
	known.FoldName = known.FoldName || s.FoldName || known.Name != s.Name
	known.MaxBody = max(bodyLimit(known), bodyLimit(&s))
	known.Form = either(known.Form, s.Form)
	known.Lenient = known.Lenient || s.Lenient
	known.Keys = known.Keys || s.Keys
	known.StripMember = known.StripMember || s.StripMember
}

// either takes a text that has one of two forms. nil is every text as it is.
func either(a, b func(string) (string, bool)) func(string) (string, bool) {
	if a == nil && b == nil {
		return nil
	}
	if a == nil {
		a, b = b, a // or the canonical form would never be found
	}
	return func(text string) (string, bool) {
		if out, ok := a(text); ok || b == nil {
			if !ok {
				out = text
			}
			return out, true
		}
		return b(text)
	}
}

// Read returns every credential that the request presents; none is no error.
// Errors are those of [Spec.Read]: one source that cannot be read refuses the
// request, except where its kind yields to another that is present. That never
// holds for two values of one source. A body is read only where nothing else
// is presented, so that it is neither held in memory nor bounded in vain.
func (c *Chain) Read(r *http.Request) (p Presented, err error) {
	var bad error
	var badKind auth.CredentialKind
	for i := range c.specs {
		s := &c.specs[i]
		if c.skips(s, r, &p) {
			continue
		}
		err := s.readInto(&p.list[p.n], r)
		switch {
		case err != nil && (bad != nil || !c.mayYield(s.Kind, err)):
			return Presented{}, err
		case err != nil:
			bad, badKind = err, s.Kind
		case p.list[p.n].Kind == "":
		case p.n == maxPresented:
			return Presented{}, malformed(auth.ReasonAmbiguous)
		default:
			p.n++
		}
	}
	if bad != nil && !p.has(func(good Credential) bool { return c.Yields(badKind, good.Kind) }) {
		return Presented{}, bad
	}
	return p, nil
}

// skips reports whether a source is not to be read in this request.
func (c *Chain) skips(s *Spec, r *http.Request, sofar *Presented) bool {
	switch s.Kind {
	case auth.Body:
		return sofar.n > 0 && sofar.list[sofar.n-1].Kind != auth.Body
	case auth.APIKey:
		return c.shared && s.Name == headerKey && namesUser(r.Header)
	case auth.KeyUserToken:
		return !namesUser(r.Header) && c.readsKey()
	}
	return false
}

// readsKey reports whether an APIKey of this chain stands in the header of
// KeyUserToken.
func (c *Chain) readsKey() bool {
	return slices.ContainsFunc(c.specs, func(s Spec) bool { return s.Kind == auth.APIKey && s.Name == headerKey })
}

func (c *Chain) mayYield(kind auth.CredentialKind, err error) bool {
	return auth.AsError(err).Reason != auth.ReasonDuplicate &&
		slices.ContainsFunc(c.yields, func(y [2]auth.CredentialKind) bool { return y[0] == kind })
}

// Yields reports whether a bad credential of one kind counts as absent beside
// a good one of another.
func (c *Chain) Yields(bad, good auth.CredentialKind) bool {
	return slices.Contains(c.yields, [2]auth.CredentialKind{bad, good})
}

// Strip takes every credential that the chain reads out of the request, good
// or bad, as [Spec.Strip] does.
func (c *Chain) Strip(r *http.Request) {
	for i := range c.specs {
		c.specs[i].strip(r)
	}
}

// ReadsBody reports whether a credential may stand in a body.
func (c *Chain) ReadsBody() bool {
	return len(c.specs) > 0 && c.specs[len(c.specs)-1].Kind == auth.Body // they come last
}

// Headers lists the fields that may hold a secret, in canonical form, for
// those who redact logs.
func (c *Chain) Headers() []string {
	var names []string
	for _, s := range c.specs {
		switch s.Kind {
		case auth.Bearer, auth.Basic:
			names = append(names, authorization)
		case auth.APIKey:
			names = append(names, s.Name)
		case auth.KeyUserToken:
			names = append(names, headerKey, headerUser, headerToken, headerEntity)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Queries lists the parameters that may hold a secret, for those who redact
// logs. They are to be matched in any case.
func (c *Chain) Queries() []string {
	var names []string
	for _, s := range c.specs {
		if s.Kind == auth.Query {
			names = append(names, s.Name)
		}
	}
	return names
}
