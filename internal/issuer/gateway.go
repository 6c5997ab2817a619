package issuer

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// A gateway in front of this one is an issuer too: of assertions, each about one
// request and signed with keys that sign nothing else. Its name is no URL, so
// that nothing is asked of its metadata, and a token of its logins, which bears
// the same iss, is of another typ.

// gatewayPrefix begins the iss of a gateway: the realm follows.
const gatewayPrefix = "gatehouse:"

// assertionType and assertionAlgorithm are those of every assertion.
const (
	assertionType      = "gatehouse-assertion+jwt"
	assertionAlgorithm = "EdDSA"
)

// assertionClaims are what of an assertion becomes what of the caller.
var assertionClaims = map[string]string{
	"username": "{claim.username}", "tenant": "{claim.tenant}", "unit": "{claim.unit}", "roles": "{claim.roles}",
}

func isGateway(url string) bool { return strings.HasPrefix(url, gatewayPrefix) }

// ofGateway completes the configuration of a gateway.
func (c Config) ofGateway() (Config, error) {
	switch {
	case len(c.URL) == len(gatewayPrefix) || len(c.URL) > maxAddress || strings.ContainsFunc(c.URL, oddInAddress):
		return c, fmt.Errorf("%.60q must be gatehouse: and the realm of a gateway", c.URL)
	case c.JWKS == "":
		return c, errors.New("jwks is missing: the address of the gateway's /.well-known/jwks.json")
	case len(c.Types) > 0 || len(c.Algorithms) > 0:
		return c, errors.New("the typ and the algorithm of a gateway's assertions are always the same: leave type and algorithms out")
	}
	c.Types, c.Algorithms = []string{assertionType}, []string{assertionAlgorithm}
	claims := maps.Clone(assertionClaims)
	maps.Copy(claims, c.Claims)
	c.Claims = claims
	return c, nil
}

// target reads which request an assertion is about.
func target(claims map[string]any) (*auth.Target, error) {
	t := new(auth.Target)
	for name, into := range map[string]*string{"htm": &t.Method, "host": &t.Host, "path": &t.Path} {
		text, ok := claims[name].(string)
		if !ok || text == "" {
			return nil, fmt.Errorf("it does not say which request it is about: %s", name)
		}
		*into = text
	}
	return t, nil
}
