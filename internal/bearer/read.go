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
//   - [auth.Malformed] with [auth.ReasonTimeout]: a body past its deadline
//   - [auth.InvalidCredential]: readable, but nothing that was ever issued; RFC
//     6750 section 3.1 counts a malformed token as an invalid one
//
// For Body the request's body is read and put back byte for byte. Neither the
// request nor its header is changed otherwise, and values are not copied: a
// [Credential] shares the memory of the request.
func (s Spec) Read(r *http.Request) (c Credential, present bool, err error) {
	err = s.readInto(&c, r)
	return c, c.Kind != "", err
}

// readInto is [Spec.Read] without copies: a chain reads into its own array. c
// is zero, and stays so unless a credential is present.
func (s *Spec) readInto(c *Credential, r *http.Request) error {
	var text string
	var err error
	switch s.Kind {
	case auth.Bearer:
		text, err = s.readBearer(r)
	case auth.APIKey:
		text, err = s.readHeader(r)
	case auth.Basic:
		text, err = s.readBasic(r)
	case auth.Query:
		text, err = s.readQuery(r)
	case auth.Body:
		text, err = s.readBody(r)
	case auth.KeyUserToken:
		return s.readTriple(c, r)
	default:
		return auth.Fail(auth.Internal, auth.ReasonUnsupported, nil)
	}
	if text, err = s.inForm(text, err); err != nil || text == "" {
		return err
	}
	c.Kind = s.Kind
	if s.Kind == auth.APIKey || s.Kind == auth.Basic {
		c.Key = text
		return nil
	}
	c.Token = text
	if s.Keys && s.Kind == auth.Bearer && !isJWT(text) {
		c.Key = text
	}
	return nil
}

// inForm bounds a value that was read and brings it into its canonical form.
func (s *Spec) inForm(text string, err error) (string, error) {
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
