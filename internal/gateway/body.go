package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// body is that of a request while the guard looks for a credential in it. A
// client has [dialect.BodyTime] to send what the guard waits for: Caddy ends a
// connection that is silent for a minute and waits for ever for one byte now
// and then. What is not waited for, an upload say, has no such limit.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	// awaited is set while the limit holds, late once it passed.
	awaited, handedOn, late bool
}

// timed bounds what the guard reads of the body of r; nil where it reads none.
func (s *Site) timed(w http.ResponseWriter, r *http.Request) *body {
	if r.Body == nil || r.ContentLength == 0 || !s.chain.ReadsBody() {
		return nil
	}
	b := &body{ReadCloser: r.Body, control: http.NewResponseController(w)}
	r.Body = b
	return b
}

func (b *body) Read(p []byte) (int, error) {
	if !b.awaited && !b.handedOn {
		b.awaited = true
		_ = b.control.SetReadDeadline(time.Now().Add(dialect.BodyTime)) // not there in a recorder of answers
	}
	n, err := b.ReadCloser.Read(p)
	if !b.handedOn && errors.Is(err, os.ErrDeadlineExceeded) {
		b.late = true
	}
	return n, err
}

// handOn lifts the limit, for the upstream to read at its own pace. It fails
// for a body that came too late: there is no whole one to hand on. Then the
// limit stays, since the server reads on before it answers.
func (b *body) handOn() error {
	if b == nil {
		return nil
	}
	if b.late {
		return auth.Fail(auth.Malformed, auth.ReasonTimeout, nil)
	}
	b.handedOn = true
	if b.awaited {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return nil
}
