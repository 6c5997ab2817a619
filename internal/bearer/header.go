package bearer

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// The headers of APIKey, where none is configured, and of KeyUserToken, in
// canonical form: requests are searched without making a name canonical first.
const (
	defaultHeader = "X-Api-Key"
	headerKey     = "Apikey"
	headerUser    = "Userid"
	headerToken   = "Token"
	headerEntity  = "Entity-Authentication-Token"
)

func (s *Spec) header() string {
	switch {
	case s.canonical != "":
		return s.canonical
	case s.Name == "":
		return defaultHeader
	}
	return http.CanonicalHeaderKey(s.Name) // allocates only where it changes
}

// readHeader returns the key in the header of APIKey. Any text is a key that
// can be looked up, so nothing but its length is judged here.
func (s *Spec) readHeader(r *http.Request) (string, error) { return single(r.Header, s.header()) }

// single returns the value of a field that must not stand twice.
func single(h http.Header, name string) (string, error) {
	values := h[name]
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", malformed(auth.ReasonDuplicate)
}

// readTriple reads apikey + userid + token, or apikey + entity token. Some of
// the parts without the others are a wrong credential, not a missing one. All
// that was sent is handed on beside an entity token, for whoever verifies it
// to compare.
func (s *Spec) readTriple(c *Credential, r *http.Request) error {
	var values [4]string
	present := false
	for i, name := range [...]string{headerKey, headerUser, headerToken, headerEntity} {
		text, err := single(r.Header, name)
		if err != nil {
			return err
		}
		if len(text) > MaxValue {
			return tooLong()
		}
		values[i] = text
		present = present || text != ""
	}
	if !present {
		return nil
	}
	key, user, token, entity := values[0], values[1], values[2], values[3]
	if key == "" || entity == "" && (user == "" || token == "") {
		return invalid(auth.ReasonMismatch)
	}
	token, err := s.inForm(token, nil)
	if err != nil {
		return err
	}
	*c = Credential{Kind: auth.KeyUserToken, Key: key, User: user, Token: token, Entity: entity}
	return nil
}

// namesUser reports whether a request carries parts of KeyUserToken other than
// the key, which alone could be meant for APIKey.
func namesUser(h http.Header) bool {
	return len(h[headerUser]) > 0 || len(h[headerToken]) > 0 || len(h[headerEntity]) > 0
}
