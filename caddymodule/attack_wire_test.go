package caddymodule

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// The attack tests speak to a real Caddy as clients do that mean no good: with
// bytes and frames of their own where Go's clients would tidy them up.

// upstreamLog is an upstream that keeps what it was asked.
type upstreamLog struct {
	mu    sync.Mutex
	asked []upstreamRequest
}

// upstreamRequest is a request as it arrived.
type upstreamRequest struct {
	seen
	Host    string
	Trailer http.Header
}

func (u *upstreamLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	u.asked = append(u.asked, upstreamRequest{seen{r.Method, r.RequestURI, string(body), r.Header.Clone()}, r.Host, r.Trailer})
	u.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	echo(w, r)
}

// take returns what was asked since the last call.
func (u *upstreamLog) take() []upstreamRequest {
	u.mu.Lock()
	defer u.mu.Unlock()
	asked := u.asked
	u.asked = nil
	return asked
}

// attacked starts a Caddy whose upstream keeps what it was asked.
func attacked(t *testing.T, s setting) (*whole, *upstreamLog) {
	t.Helper()
	w, log := prepare(t), new(upstreamLog)
	up := httptest.NewServer(log)
	t.Cleanup(up.Close) // before Caddy stops, which waits for nobody then
	w.upstream = up.URL
	w.load(s)
	return w, log
}

// attackedTLS is attacked on a site with a certificate, over which h1, h2 and
// h3 are spoken.
func attackedTLS(t *testing.T, block string) (*whole, *upstreamLog) {
	t.Helper()
	return attackedTLSSites(t, strings.Replace(guardedSite(block), "SITE {", "SITE {\n\t"+withTLS, 1))
}

func attackedTLSSites(t *testing.T, sites string) (*whole, *upstreamLog) {
	t.Helper()
	w, log := prepare(t), new(upstreamLog)
	up := httptest.NewServer(log)
	t.Cleanup(up.Close)
	w.upstream = up.URL
	w.site = strings.Replace(w.site, "http://127.0.0.1", "https://localhost", 1)
	w.load(setting{options: "skip_install_trust\n\tadmin off\n\tpersist_config off", sites: sites})
	w.untilTLS()
	log.take()
	return w, log
}

func localTLS(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: protocols} //nolint:gosec // a certificate of this test
}

// overEach runs a test over HTTP/1.1, HTTP/2 and HTTP/3, with the client of w
// speaking that one.
func (w *whole) overEach(name string, f func(*testing.T)) {
	w.t.Helper()
	h1 := &http.Transport{TLSClientConfig: localTLS("http/1.1")}
	h2 := &http.Transport{TLSClientConfig: localTLS("h2"), ForceAttemptHTTP2: true}
	h3 := &http3.Transport{TLSClientConfig: localTLS("h3")}
	usual := w.client.Transport
	defer func() {
		w.client.Transport = usual
		h1.CloseIdleConnections()
		h2.CloseIdleConnections()
		_ = h3.Close()
	}()
	for _, c := range []struct {
		proto     string
		transport http.RoundTripper
	}{{"HTTP/1.1", h1}, {"HTTP/2.0", h2}, {"HTTP/3.0", h3}} {
		w.run(name+", over "+c.proto, func(t *testing.T) {
			w.client.Transport = spoken{t, c.transport, c.proto}
			f(t)
		})
	}
}

// spoken sees that a protocol is really the one that is spoken.
type spoken struct {
	t     *testing.T
	under http.RoundTripper
	proto string
}

func (s spoken) RoundTrip(r *http.Request) (*http.Response, error) {
	// A name goes over the wire as the test wrote it, not as Go writes it.
	for name, values := range r.Header {
		if raw, ok := strings.CutPrefix(name, "Raw-"); ok {
			delete(r.Header, name)
			r.Header[raw] = values
		}
	}
	res, err := s.under.RoundTrip(r)
	if err == nil && res.Proto != s.proto {
		s.t.Errorf("%s was spoken in place of %s", res.Proto, s.proto)
	}
	return res, err
}

// exchange sends bytes on a new connection and returns the answers to as many
// requests, fewer where the connection ends before.
func (w *whole) exchange(requests int, text string) []answer {
	w.t.Helper()
	c, err := net.Dial("tcp", w.host())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		return nil // it was closed while we wrote: refused
	}
	return readAnswers(bufio.NewReader(c), requests)
}

func readAnswers(in *bufio.Reader, requests int) []answer {
	var all []answer
	for range requests {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return all
		}
		all = append(all, answer{status: res.StatusCode, header: res.Header, body: string(body)})
	}
	return all
}

// field is a field of a request in frames, pseudo fields among them.
type field struct{ name, value string }

// requestFields are those of a GET, which others are added to.
func (w *whole) requestFields(path string, more ...field) []field {
	return append([]field{{":method", "GET"}, {":scheme", "https"}, {":authority", w.host()}, {":path", path}}, more...)
}

// frames2 sends a request in HTTP/2 frames and returns the status, or "reset"
// where the stream or the connection was ended instead.
func (w *whole) frames2(fields []field) string {
	w.t.Helper()
	c, err := tls.Dial("tcp", w.host(), localTLS("h2"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		_ = encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value})
	}
	_, err = io.WriteString(c, http2.ClientPreface)
	framer := http2.NewFramer(c, c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := errors.Join(err, framer.WriteSettings(), framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true,
	})); err != nil {
		w.t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return "reset"
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return "reset"
		}
	}
}

// frames3 is frames2 over HTTP/3.
func (w *whole) frames3(fields []field) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	c, err := quic.DialAddr(ctx, w.quicHost(), localTLS("h3"), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = c.CloseWithError(0, "") }()
	return request3(ctx, c, fields)
}

func (w *whole) quicHost() string { return strings.Replace(w.host(), "localhost", "127.0.0.1", 1) }

// The frames and streams of RFC 9114 section 7.2 and 6.2.
const (
	headersFrame3  = 0x1
	settingsFrame3 = 0x4
	controlStream3 = 0x0
)

func frame3(kind uint64, body []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(body))), body...)
}

// request3 makes one request on a connection.
func request3(ctx context.Context, c *quic.Conn, fields []field) string {
	stream, err := send3(ctx, c, fields)
	if err != nil {
		return "reset"
	}
	return status3(bufio.NewReader(stream))
}

// send3 sends a request on a connection.
func send3(ctx context.Context, c *quic.Conn, fields []field) (*quic.Stream, error) {
	control, err := c.OpenUniStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	_, _ = control.Write(append([]byte{controlStream3}, frame3(settingsFrame3, nil)...))
	stream, err := c.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	_ = stream.SetReadDeadline(time.Now().Add(10 * time.Second))
	var block bytes.Buffer
	encoder := qpack.NewEncoder(&block)
	for _, f := range fields {
		_ = encoder.WriteField(qpack.HeaderField{Name: f.name, Value: f.value})
	}
	if _, err := stream.Write(frame3(headersFrame3, block.Bytes())); err != nil {
		return nil, err
	}
	return stream, stream.Close()
}

func status3(in *bufio.Reader) string {
	for {
		kind, err := quicvarint.Read(in)
		if err != nil {
			return "reset"
		}
		length, err := quicvarint.Read(in)
		if err != nil {
			return "reset"
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return "reset"
		}
		if kind != headersFrame3 {
			continue
		}
		for decode := qpack.NewDecoder().Decode(body); ; {
			f, err := decode()
			if err != nil {
				return fmt.Sprint("no status: ", err)
			}
			if f.Name == ":status" {
				return f.Value
			}
		}
	}
}
