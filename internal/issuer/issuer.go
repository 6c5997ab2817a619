package issuer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Config is one issuer as a site trusts it.
type Config struct {
	// URL is the iss of its tokens, compared to the letter: that of a gateway
	// whose assertions count is "gatehouse:" and its realm.
	URL string
	// Audiences are the aud values that count; a token must name one of them.
	Audiences []string
	// JWKS is the address of its key set; "" is the one of its metadata.
	JWKS string
	// Algorithms are those that it signs with; nil is [DefaultAlgorithms].
	Algorithms []string
	// Types are the typ values that its tokens must bear one of, in any case;
	// nil is JWT, at+jwt or none.
	Types []string
	// Claims says what of a token becomes what of the caller: a name of
	// [ClaimNames] and a placeholder like {claim.realm_access.roles}.
	Claims map[string]string
}

// Issuer is a [Config] that was checked.
type Issuer struct {
	url        string
	source     Source
	audiences  []string
	algorithms []string
	types      []string // in lower case
	claims     mapping
	// asserts says that it is a gateway: its tokens are about one request.
	asserts bool
}

// maxListed bounds the audiences and types of one issuer.
const maxListed = 32

// New checks a configuration. It asks nobody: an issuer that is down is no
// fault of a configuration.
func New(c Config) (*Issuer, error) {
	check := checkURL
	if isGateway(c.URL) {
		var err error
		if c, err = c.ofGateway(); err != nil {
			return nil, err
		}
		check = func(string) error { return nil }
	}
	i := &Issuer{
		asserts: isGateway(c.URL),
		url:     c.URL, source: Source{c.URL, c.JWKS}, audiences: c.Audiences,
		algorithms: c.Algorithms, types: folded(c.Types),
	}
	if len(i.algorithms) == 0 {
		i.algorithms = DefaultAlgorithms
	}
	if err := check(c.URL); err != nil {
		return nil, err
	}
	if c.JWKS != "" {
		if _, err := checkAddress(c.JWKS); err != nil {
			return nil, fmt.Errorf("jwks: %w", err)
		}
	}
	if len(c.Audiences) == 0 {
		return nil, errors.New("audience is missing: tokens that the issuer makes for others would count here")
	}
	if err := errors.Join(checkListed("audience", c.Audiences), checkListed("type", i.types), checkAlgorithms(c.Algorithms)); err != nil {
		return nil, err
	}
	var err error
	i.claims, err = newMapping(c.Claims)
	return i, err
}

func folded(list []string) []string {
	var all []string
	for _, text := range list {
		all = append(all, shortType(text))
	}
	return all
}

// shortType folds a typ: it is a media type, whose application/ is left out by
// custom (RFC 7515 section 4.1.9).
func shortType(text string) string {
	return strings.TrimPrefix(strings.ToLower(text), "application/")
}

// checkListed takes plain texts, each once.
func checkListed(what string, list []string) error {
	if len(list) > maxListed {
		return fmt.Errorf("there are more than %d of %s", maxListed, what)
	}
	for i, text := range list {
		if !isPlain(text) || strings.ContainsAny(text, "{}") {
			return fmt.Errorf("the %s %.60q must be printable text of at most %d bytes, without braces", what, text, maxText)
		}
		if slices.Contains(list[:i], text) {
			return fmt.Errorf("the %s %s stands twice", what, text)
		}
	}
	return nil
}

// URL returns the iss of the issuer's tokens.
func (i *Issuer) URL() string { return i.url }
