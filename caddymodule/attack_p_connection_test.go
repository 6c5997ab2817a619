package caddymodule

import (
	"bufio"
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

	"github.com/quic-go/quic-go"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// socket is an upgraded connection, or the refusal of one.
type socket struct {
	net.Conn
	in     *bufio.Reader
	status int
}

func (w *whole) upgrade(t *testing.T, lines ...string) socket {
	t.Helper()
	c, err := net.Dial("tcp", w.host())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = io.WriteString(c, "GET /socket HTTP/1.1\r\nHost: "+w.host()+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+strings.Join(append(lines, ""), "\r\n")+"\r\n")
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return socket{c, in, res.StatusCode}
}

// echoes reports whether the upstream answers through the socket.
func (s socket) echoes() error {
	if _, err := io.WriteString(s, "hello\n"); err != nil {
		return err
	}
	line, err := s.in.ReadString('\n')
	if err == nil && line != "hello\n" {
		err = fmt.Errorf("it sent %q", line)
	}
	return err
}

// A credential is judged when the socket is asked for. One that is revoked
// later ends no socket that is open: how long that may last is stream_timeout
// of the proxy, which closes it.
func TestP15ASocketNeedsItsCredentialBeforeItOpens(t *testing.T) {
	w := prepare(t)
	up := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { upgrade(rw) }))
	t.Cleanup(up.Close)
	w.upstream = up.URL
	site := strings.Replace(guardedSite("login management\naccept bearer"), "reverse_proxy UPSTREAM",
		"reverse_proxy UPSTREAM {\n\t\tstream_timeout LIMIT\n\t\tstream_close_delay 0s\n\t}", 1)
	w.load(setting{sites: strings.Replace(site, "LIMIT", "1h", 1)})
	w.ann()
	row, token := w.token(annName, "")
	w.run("no credential, a bad one or one in another place opens none", func(t *testing.T) {
		for _, lines := range [][]string{
			nil,
			{bearerOf("nothing")},
			{"Sec-WebSocket-Protocol: bearer, " + token},
			{"Sec-WebSocket-Protocol: " + token},
			{"Origin: https://evil.example", "Cookie: token=" + token},
		} {
			if s := w.upgrade(t, lines...); s.status != http.StatusUnauthorized {
				t.Errorf("with %q it was answered %d", lines, s.status)
			}
		}
	})
	open := w.upgrade(t, bearerOf(token))
	w.run("a good one opens it", func(t *testing.T) {
		if err := open.echoes(); open.status != http.StatusSwitchingProtocols || err != nil {
			t.Fatal(open.status, err)
		}
	})
	if _, err := w.admin(gateway.DefaultRealm).RevokeToken(t.Context(), row.ID); err != nil {
		t.Fatal(err)
	}
	w.run("revoked it opens no other, and leaves the open one to the proxy", func(t *testing.T) {
		if s := w.upgrade(t, bearerOf(token)); s.status != http.StatusUnauthorized {
			t.Errorf("it was answered %d", s.status)
		}
		if err := open.echoes(); err != nil {
			t.Error(err)
		}
	})
	// As in TestWholeWebSockets: a socket's handler ends before Caddy stops.
	ended := func(n int) {
		eventually(t, 20*time.Second, "the sockets have ended", func() bool {
			seen := 0
			for _, line := range w.logged("http.log.access", "") {
				if line["status"] == float64(http.StatusSwitchingProtocols) {
					seen++
				}
			}
			return seen >= n
		})
	}
	_ = open.Close()
	ended(1)
	w.run("which closes it after stream_timeout", func(t *testing.T) {
		w.load(setting{sites: strings.Replace(site, "LIMIT", "100ms", 1)})
		_, token := w.token(annName, "")
		s := w.upgrade(t, bearerOf(token))
		if s.status != http.StatusSwitchingProtocols {
			t.Fatal(s.status)
		}
		if line, err := s.in.ReadString('\n'); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && err == nil {
			t.Errorf("it went on with %q, %v", line, err)
		}
	})
	ended(2)
}

// Over HTTP/2 and HTTP/3 a socket is a CONNECT (RFC 8441, RFC 9220), which is
// never forwarded: there are no sockets but over HTTP/1.1.
func TestP15NoSocketOpensInFrames(t *testing.T) {
	w, log := attackedTLS(t, "accept bearer\npublic /open/*")
	w.ann()
	_, token := w.token(annName, "")
	for _, path := range []string{"/x", "/open/x"} {
		fields := []field{
			{":method", "CONNECT"},
			{":protocol", "websocket"},
			{":scheme", "https"},
			{":authority", w.host()},
			{":path", path},
			{"sec-websocket-version", "13"},
			{"authorization", "Bearer " + token},
		}
		for proto, status := range map[string]string{"HTTP/2": w.frames2(fields), "HTTP/3": w.frames3(fields)} {
			if asked := log.take(); status != "405" && status != "reset" && status != "400" || len(asked) != 0 {
				t.Errorf("%s: %s was answered %s, the upstream was asked %+v", proto, path, status, asked)
			}
		}
	}
}

// smuggled are requests with a second one hidden in them, for whoever reads
// their length in another way.
func smuggled(host, token string) map[string]string {
	const hidden = "GET /admin HTTP/1.1\r\nHost: %s\r\n\r\n"
	inner := fmt.Sprintf(hidden, host)
	post := func(lines, body string) string {
		return "POST /x HTTP/1.1\r\nHost: " + host + "\r\n" + bearerOf(token) + "\r\n" + lines + "\r\n" + body
	}
	chunked := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }
	requests := map[string]string{
		"CL and TE":                   post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+inner),
		"TE and CL":                   post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"+inner),
		"two lengths":                 post("Content-Length: 0\r\nContent-Length: "+fmt.Sprint(len(inner))+"\r\n", inner),
		"a list of lengths":           post("Content-Length: 0, "+fmt.Sprint(len(inner))+"\r\n", inner),
		"a signed length":             post("Content-Length: +0\r\n", inner),
		"a length in hex":             post("Content-Length: 0x0\r\n", inner),
		"a negative length":           post("Content-Length: -1\r\n", inner),
		"a bare LF":                   "GET /x HTTP/1.1\nHost: " + host + "\n" + bearerOf(token) + "\n\n" + inner,
		"a bare CR":                   post("X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n", inner),
		"an obs-fold":                 post("Content-Length: 0\r\n Transfer-Encoding: chunked\r\n", inner),
		"a bad chunk size":            post("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n"+inner),
		"a long chunk size":           post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"+inner),
		"an LF in a chunk extension":  post("Transfer-Encoding: chunked\r\n", "2;\nxx\r\n10\r\n\r\n"+inner),
		"a chunk without its CRLF":    post("Transfer-Encoding: chunked\r\n", "1\r\na0\r\n\r\n"+inner),
		"a space before a colon":      post("Transfer-Encoding : chunked\r\nContent-Length: 0\r\n", inner),
		"HTTP/1.0 in chunks":          strings.Replace(post("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", "0\r\n\r\n"+inner), "HTTP/1.1", "HTTP/1.0", 1),
		"HTTP/0.9":                    "GET /admin\r\n\r\n",
		"another version":             "GET /admin HTTP/3.7\r\nHost: " + host + "\r\n\r\n",
		"a body that is a request":    post("Content-Length: "+fmt.Sprint(len(inner))+"\r\n", inner),
		"chunks that are a request":   post("Transfer-Encoding: chunked\r\n", chunked(inner)),
		"trailers that are a request": post("Transfer-Encoding: chunked\r\nTrailer: X-A\r\n", "0\r\nGET /admin HTTP/1.1: x\r\nX-A: b\r\n\r\n"),
		"expect and a body":           post("Expect: 100-continue\r\nContent-Length: "+fmt.Sprint(len(inner))+"\r\n", inner),
		"an odd expectation":          post("Expect: 100-continue, x\r\nContent-Length: 0\r\n", inner),
		"an expectation in two lines": post("Expect: y\r\nExpect: 100-continue\r\nContent-Length: 0\r\n", inner),
		"a request behind a refusal":  "POST /x HTTP/1.1\r\nHost: " + host + "\r\nExpect: 100-continue\r\nContent-Length: " + fmt.Sprint(len(inner)) + "\r\n\r\n" + inner,
		"a GET with a body":           strings.Replace(post("Content-Length: "+fmt.Sprint(len(inner))+"\r\n", inner), "POST", "GET", 1),
		"an upgrade to h2c":           post("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		"pipelined":                   post("Content-Length: 0\r\n", inner+inner),
	}
	for _, coding := range []string{
		"xchunked", "chunked, identity", "identity, chunked", "chunked, chunked", " chunked", "\tchunked", "\vchunked", "chunked\x00", "\"chunked\"",
		"CHUNKED", "chunked;q=1", "x, chunked", "chun\tked", "identity",
	} {
		requests["the coding "+fmt.Sprintf("%q", coding)] = post("Transfer-Encoding: "+coding+"\r\nContent-Length: 0\r\n", "0\r\n\r\n"+inner)
	}
	for i, line := range []string{"X: y\r\nTransfer-Encoding\r\n : chunked", "Transfer_Encoding: chunked", "Transfer-Encoding\x00: chunked", "Content_Length: 5"} {
		requests[fmt.Sprintf("odd line %d", i)] = post(line+"\r\nContent-Length: 0\r\n", inner)
	}
	return requests
}

// /admin is for nobody without a credential, and none of the hidden requests
// has one: if the upstream is asked for it, somebody was fooled.
func TestP17NoRequestHidesAnother(t *testing.T) {
	w, log := attacked(t, setting{sites: guardedSite("accept bearer\npublic /open/*")})
	ann, _ := w.ann()
	_, token := w.token(annName, "")
	for name, text := range smuggled(w.host(), token) {
		w.run(name, func(t *testing.T) {
			// The request at the end shows when all before it has been dealt with.
			got := w.exchange(4, text+"GET /open/end HTTP/1.1\r\nHost: "+w.host()+"\r\nConnection: close\r\n\r\n")
			for _, r := range log.take() {
				caller := r.Header.Get("X-Auth-Subject")
				if r.URI != "/x" && r.URI != "/open/end" || r.URI == "/x" && caller != ann.ID || r.URI == "/open/end" && caller != "" {
					t.Errorf("the upstream was asked for %s as %q; the answers were %v", r.URI, caller, got)
				}
			}
			// What Caddy sends on is whole: the next request to the upstream
			// is the next one.
			if a := w.get("/open/next"); a.status != http.StatusOK || a.seen.URI != "/open/next" {
				t.Errorf("the next request was answered %v", a)
			}
			log.take()
		})
	}
}

func TestP19AConnectionRemembersNobody(t *testing.T) {
	w, log := attackedTLS(t, "accept bearer api_key\npublic /open/*")
	ann, key := w.ann()
	_, token := w.token(annName, "")
	bob, _ := w.account(admin.NewAccount{Username: "bob"})
	_, bobs := w.token("bob", "")
	w.overEach("each request of a connection is judged alone", func(t *testing.T) {
		for range 3 {
			for _, c := range []struct {
				path    string
				fields  []string
				status  int
				subject string
			}{
				{"/x", []string{bearerOf(token)}, 200, ann.ID},
				{"/x", nil, 401, ""},
				{"/open/x", nil, 200, ""},
				{"/x", []string{bearerOf(bobs)}, 200, bob.ID},
				{"/x", []string{"Authorization: NTLM TlRMTVNTUAAB"}, 401, ""},
				{"/x", []string{"Authorization: Negotiate YIIB"}, 401, ""},
				{"/x", []string{"x-api-key: " + key}, 200, ann.ID},
				{"/open/x", []string{bearerOf("nothing")}, 200, ""},
			} {
				got := w.get(c.path, c.fields...)
				asked := log.take()
				if got.status != c.status || len(asked) != map[int]int{200: 1, 401: 0}[c.status] {
					t.Errorf("%s %q: %v", c.path, c.fields, got)
				}
				if len(asked) == 1 && asked[0].Header.Get("X-Auth-Subject") != c.subject {
					t.Errorf("%s %q: the upstream was told %v", c.path, c.fields, asked[0].Header)
				}
			}
		}
	})
}

// lateHearing is the socket of a client that hears nothing until it has spoken:
// so what it says is early data, also on a fast machine.
type lateHearing struct {
	net.PacketConn
	spoken chan struct{}
}

func (l lateHearing) ReadFrom(to []byte) (int, net.Addr, error) {
	<-l.spoken
	return l.PacketConn.ReadFrom(to)
}

// early3 resumes a session and sends a request in 0-RTT; used says that the
// server took it as such.
func (w *whole) early3(t *testing.T, cache tls.ClientSessionCache, tokens quic.TokenStore, fields []field) (status string, used bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	config := localTLS("h3")
	config.ClientSessionCache = cache
	c, hear := w.dial3(ctx, t, config, &quic.Config{TokenStore: tokens})
	defer func() { _ = c.CloseWithError(0, "") }()
	stream, err := send3(ctx, c, fields)
	hear()
	if err != nil {
		return "reset", false
	}
	status = status3(bufio.NewReader(stream))
	return status, c.ConnectionState().Used0RTT
}

// dial3 opens a connection that hears of the server only from hear on, if it
// has the ticket that early data needs.
func (w *whole) dial3(ctx context.Context, t *testing.T, config *tls.Config, quiet *quic.Config) (c *quic.Conn, hear func()) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	late := lateHearing{PacketConn: socket, spoken: make(chan struct{})}
	hear = sync.OnceFunc(func() { close(late.spoken) })
	transport := &quic.Transport{Conn: late}
	t.Cleanup(func() {
		hear()
		_ = transport.Close()
		_ = socket.Close()
	})
	if _, ok := config.ClientSessionCache.Get(config.ServerName); !ok {
		hear()
	}
	to, err := net.ResolveUDPAddr("udp", w.quicHost())
	if err != nil {
		t.Fatal(err)
	}
	c, err = transport.DialEarly(ctx, to, config, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return c, hear
}

// Caddy takes 0-RTT over HTTP/3 unless told otherwise. Whoever records it can
// send it again: what may change something is answered 425, and is made again
// after the handshake.
func TestP18EarlyDataChangesNothing(t *testing.T) {
	w, log := attackedTLS(t, "login management\nlogin oauth2\nlogin timed_login /api/login\naccept bearer\npublic /open/*\nerrors problem")
	w.ann()
	_, token := w.token(annName, "")
	cache, tokens := tls.NewLRUClientSessionCache(4), quic.NewLRUTokenStore(4, 4)
	w.early3(t, cache, tokens, w.requestFields("/open/x")) // for the ticket
	withMethod := func(method, path string, more ...field) []field {
		return withField(w.requestFields(path, more...), ":method", method)
	}
	bearer := field{"authorization", "Bearer " + token}
	for name, c := range map[string]struct {
		fields []field
		status string
	}{
		"a login":                  {withMethod("POST", "/v1/auth/login", field{"content-type", "application/json"}), "425"},
		"a logout":                 {withMethod("POST", "/v1/auth/logout", bearer), "425"},
		"a refresh":                {withMethod("POST", "/oauth2/token", field{"content-type", "application/x-www-form-urlencoded"}), "425"},
		"a login for a key":        {withMethod("POST", "/api/login", field{"content-type", "application/json"}), "425"},
		"a guarded DELETE":         {withMethod("DELETE", "/x", bearer), "425"},
		"a guarded POST":           {withMethod("POST", "/x", bearer), "425"},
		"a POST to a public path":  {withMethod("POST", "/open/x"), "425"},
		"a guarded GET":            {w.requestFields("/x", bearer), "200"},
		"a GET without credential": {w.requestFields("/x"), "401"},
	} {
		w.run(name, func(t *testing.T) {
			var status string
			var asked []upstreamRequest
			used, early := false, false
			// Without its ticket, or where the server takes its time, the
			// handshake comes first: that is no early data.
			for tries := 0; !early && tries < 10; tries++ {
				log.take()
				status, used = w.early3(t, cache, tokens, c.fields)
				asked = log.take()
				early = used && status == c.status && (status != "200" || len(asked) == 1 && asked[0].Header.Get("Early-Data") == "1")
			}
			if !early || (len(asked) == 1) != (status == "200") {
				t.Errorf("early data was taken: %v; answered %s, the upstream was asked %+v", used, status, asked)
			}
			if status == "425" {
				if later := w.frames3(c.fields); later == "425" {
					t.Error("after the handshake it is refused as early data too")
				}
			}
		})
	}
}
