package bearer

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// MaxValue bounds a presented value in bytes. Nothing issued here comes near
// it, so a longer one is refused before anything hashes it.
const MaxValue = 8 << 10

// Read returns the credential of this source. An error never comes with a
// credential; without either there is nothing of this kind to verify, which an
// empty value means too.
//
//   - [auth.Malformed] with [auth.ReasonDuplicate]: more than one value
//   - [auth.Malformed] with [auth.ReasonForm]: not readable, or refused by Form
//   - [auth.Malformed] with [auth.ReasonTooLarge]: a body past MaxBody
//   - [auth.InvalidCredential]: readable, but nothing that was ever issued; RFC
//     6750 section 3.1 counts a malformed token as an invalid one
//
// For Body the request's body is read and put back byte for byte. Neither the
// request nor its header is changed otherwise, and values are not copied: a
// [Credential] shares the memory of the request.
func (s Spec) Read(r *http.Request) (c Credential, present bool, err error) {
	switch s.Kind {
	case auth.Bearer:
		return s.token(readBearer(r))
	case auth.Query:
		return s.token(s.readQuery(r))
	case auth.Body:
		return s.token(s.readBody(r))
	case auth.APIKey:
		return s.key(s.readHeader(r))
	case auth.Basic:
		return s.key(readBasic(r))
	case auth.KeyUserToken:
		return s.readTriple(r)
	}
	return c, false, auth.Fail(auth.Internal, auth.ReasonUnsupported, nil)
}

// token makes a credential of a value that was read, in canonical form.
func (s Spec) token(text string, err error) (c Credential, present bool, _ error) {
	if text, err = s.canonical(text, err); err != nil || text == "" {
		return c, false, err
	}
	return Credential{Kind: s.Kind, Token: text}, true, nil
}

func (s Spec) key(text string, err error) (c Credential, present bool, _ error) {
	if text, err = s.canonical(text, err); err != nil || text == "" {
		return c, false, err
	}
	return Credential{Kind: s.Kind, Key: text}, true, nil
}

func (s Spec) canonical(text string, err error) (string, error) {
	if err != nil || text == "" {
		return "", err
	}
	if len(text) > MaxValue {
		return "", tooLong()
	}
	if s.Form == nil {
		return text, nil
	}
	text, ok := s.Form(text)
	if !ok || text == "" {
		return "", malformed(auth.ReasonForm)
	}
	return text, nil
}

func malformed(reason auth.Reason) error { return auth.Fail(auth.Malformed, reason, nil) }

func invalid(reason auth.Reason) error { return auth.Fail(auth.InvalidCredential, reason, nil) }

func tooLong() error { return invalid(auth.ReasonTooLarge) }
