package bearer

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// reserved are fields with a meaning of their own, which cannot carry a key.
var reserved = map[string]string{
	"Authorization": "it is read by bearer and basic", "Proxy-Authorization": "it is meant for a proxy",
	"Connection": "it names hop-by-hop fields", "Content-Length": "it frames the body",
	"Content-Type": "it describes the body", "Cookie": "it holds cookies", "Host": "it names the site",
	"Keep-Alive": "it is hop-by-hop", "Te": "it is hop-by-hop", "Trailer": "it names trailers",
	"Transfer-Encoding": "it frames the body", "Upgrade": "it is hop-by-hop",
	"X-Http-Method-Override": "it is removed from every request",
}

// Check returns what is wrong with a spec as somebody configured it. A spec
// that a dialect makes has to pass it too.
func (s Spec) Check() error {
	if (s.Lenient || s.Keys) && s.Kind != auth.Bearer {
		return fmt.Errorf("%s has one form: only bearer is read leniently or as a key", s.Kind)
	}
	if s.StripMember && s.Kind != auth.Body {
		return fmt.Errorf("%s has no member to take out of a body", s.Kind)
	}
	switch s.Kind {
	case auth.Bearer, auth.Basic, auth.KeyUserToken:
		if s.Name != "" {
			return fmt.Errorf("%s takes no name, but %q is given", s.Kind, s.Name)
		}
		return nil
	case auth.APIKey:
		return s.checkHeader()
	case auth.Query, auth.Body:
		if s.Name == "" || len(s.Name) > 128 || !utf8.ValidString(s.Name) || strings.ContainsFunc(s.Name, isControl) {
			return fmt.Errorf("%s needs a name of 1 to 128 characters, not %q", s.Kind, s.Name)
		}
		return nil
	}
	return fmt.Errorf("%q is no kind of credential", s.Kind)
}

func (s *Spec) checkHeader() error {
	name := s.header()
	for i := range len(name) {
		if !isTokenChar(name[i]) {
			return fmt.Errorf("api_key: %q is no name of a header field", s.Name)
		}
	}
	if why, ok := reserved[http.CanonicalHeaderKey(name)]; ok {
		return fmt.Errorf("api_key: the header %s cannot carry a key: %s", name, why)
	}
	if strings.HasPrefix(strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name)), "x-auth-") {
		return fmt.Errorf("api_key: the header %s cannot carry a key: every X-Auth-* field of a client is removed", name)
	}
	return nil
}

func isControl(c rune) bool { return c < 0x20 || c == 0x7f }
