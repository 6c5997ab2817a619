package logintoken

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

// read returns the credential of a call, unverified. What cannot be read is
// not authenticated, as for Feathers; two values stay a bad request.
func read(r *http.Request) (bearer.Credential, error) {
	c, sent, err := credential.Read(r)
	if err != nil {
		if e := auth.AsError(err); e.Code == auth.Malformed && e.Reason == auth.ReasonForm {
			err = auth.Fail(auth.InvalidCredential, e.Reason, err)
		}
		return c, ofToken(err, "")
	}
	if !sent {
		return c, auth.Fail(auth.NoCredential, "", nil)
	}
	return c, nil
}

// caller returns who makes a call.
func (a *api) caller(r *http.Request) (*auth.Principal, error) {
	c, err := read(r)
	if err != nil {
		return nil, err
	}
	p, err := a.service.Resolve(r.Context(), c)
	if err != nil {
		return nil, ofToken(err, c.Token)
	}
	return p, nil
}
