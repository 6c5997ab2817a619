package dialect

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// bodyTime is how long a client may take to send a login body. It stops
// callers without credentials from holding a goroutine each by sending a byte
// now and then; Caddy sets no such limit by itself.
const bodyTime = 10 * time.Second

// errAborted stands for a body that ended before it was whole.
var errAborted = errors.New("the body ended early")

// ReadBody reads the whole body of r, at most limit bytes. It returns
// [auth.Malformed] with [auth.ReasonTooLarge] past the limit (the wires say
// 413), [auth.ReasonTimeout] for a client too slow to send it and
// [auth.ReasonForm] for a body that broke off. No body is no bytes.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	c := http.NewResponseController(w)
	timed := c.SetReadDeadline(time.Now().Add(bodyTime)) == nil
	if r.ContentLength > limit {
		return nil, auth.Fail(auth.Malformed, auth.ReasonTooLarge, nil)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, bodyError(err)
	}
	if timed {
		// A deadline that stays would end the request's context when it
		// passes. Where the body was not read whole it does stay: the server
		// reads the rest before it answers, and would wait for ever.
		_ = c.SetReadDeadline(time.Time{})
	}
	return body, nil
}

func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return auth.Fail(auth.Malformed, auth.ReasonTooLarge, nil)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return auth.Fail(auth.Malformed, auth.ReasonTimeout, nil)
	}
	return auth.Fail(auth.Malformed, auth.ReasonForm, errAborted)
}

// EarlyData reports whether r came in TLS early data, which an attacker can
// send again (RFC 8470): logins and changes in it are answered 425, and the
// client repeats them after the handshake.
func EarlyData(r *http.Request) bool {
	return r.Header.Get("Early-Data") == "1" || r.TLS != nil && !r.TLS.HandshakeComplete
}
