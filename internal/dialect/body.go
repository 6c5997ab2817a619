package dialect

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// BodyTime is how long a client may take to send a body that is read before
// it is known who sends it. It stops callers without credentials from holding
// a goroutine each by sending a byte now and then: Caddy by itself ends only
// connections that are silent for a minute.
const BodyTime = 10 * time.Second

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
	timed := c.SetReadDeadline(time.Now().Add(BodyTime)) == nil
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

// Hurry gives a client [BodyTime] from now to send the rest of a body that may
// be left unread: on HTTP/1 the server reads on before it answers, so that one
// who sends slowly would wait for the refusal as long as they like.
func Hurry(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && r.ContentLength != 0 && r.Body != nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(BodyTime))
	}
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
