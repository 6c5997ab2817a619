package dialect

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func TestReadBody(t *testing.T) {
	broken := errors.New("connection reset")
	tests := []struct {
		name   string
		body   io.Reader
		length int64
		want   string
		reason auth.Reason
	}{
		{"a body at the limit is read", strings.NewReader("12345678"), 8, "12345678", ""},
		{"an announced length past the limit is refused unread", iotest.ErrReader(broken), 9, "", auth.ReasonTooLarge},
		{"a chunked body past the limit is refused", strings.NewReader("123456789"), -1, "", auth.ReasonTooLarge},
		{"a body that breaks off is refused", io.MultiReader(strings.NewReader("123"), iotest.ErrReader(broken)), -1, "", auth.ReasonForm},
		{"a body that comes too late is refused", iotest.ErrReader(os.ErrDeadlineExceeded), -1, "", auth.ReasonTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", tt.body)
			r.ContentLength = tt.length
			got, err := ReadBody(httptest.NewRecorder(), r, 8)
			if string(got) != tt.want {
				t.Errorf("ReadBody = %q, want %q", got, tt.want)
			}
			checkReason(t, err, tt.reason)
		})
	}
}

func TestNoBodyIsNoBytes(t *testing.T) {
	r := httptest.NewRequest("POST", "/", http.NoBody)
	if got, err := ReadBody(httptest.NewRecorder(), r, 8); len(got) != 0 || err != nil {
		t.Errorf("ReadBody = %q, %v", got, err)
	}
	r.Body = nil
	if got, err := ReadBody(httptest.NewRecorder(), r, 8); len(got) != 0 || err != nil {
		t.Errorf("ReadBody = %q, %v", got, err)
	}
}

// TestASlowBodyIsGivenUp runs a whole server in a bubble: its clock passes at
// once, so the test waits for nothing.
func TestASlowBodyIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		var got error
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, got = ReadBody(w, r, 8)
		})}
		done := make(chan error, 1)
		l := &oneConn{conn: server, closed: make(chan struct{})}
		go func() { done <- srv.Serve(l) }()
		start := time.Now()
		if _, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(client)
		if waited := time.Since(start); waited < BodyTime || waited > 2*BodyTime {
			t.Errorf("the server waited %v, want about %v", waited, BodyTime)
		}
		checkReason(t, got, auth.ReasonTimeout)
		_ = srv.Close()
		t.Log(<-done)
	})
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.IPAddr{} }

func TestEarlyData(t *testing.T) {
	r := httptest.NewRequest("POST", "/", nil)
	if EarlyData(r) {
		t.Error("a plain request passed for early data")
	}
	r.TLS = &tls.ConnectionState{}
	if !EarlyData(r) {
		t.Error("a request before the end of the handshake passed for a late one")
	}
	r.TLS.HandshakeComplete = true
	r.Header.Set("Early-Data", "1")
	if !EarlyData(r) {
		t.Error("the word of the proxy in front went unheard")
	}
}

// deadlines is a writer that notes the deadlines it is given.
type deadlines struct {
	http.ResponseWriter
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.set = append(d.set, t); return nil }

func TestTheDeadlineIsLiftedAfterAWholeBodyOnly(t *testing.T) {
	for body, want := range map[string]int{"12345678": 2, "123456789": 1} {
		w := &deadlines{ResponseWriter: httptest.NewRecorder()}
		_, err := ReadBody(w, httptest.NewRequest("POST", "/", strings.NewReader(body)), 8)
		if len(w.set) != want || w.set[0].IsZero() || want == 2 && !w.set[1].IsZero() {
			t.Errorf("%d bytes (%v): deadlines %v, want %d", len(body), err, w.set, want)
		}
	}
}
