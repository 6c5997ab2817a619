package caddymodule

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// askedRequest is what somebody wants to know about: a request as it would be sent.
type askedRequest struct {
	method, url string
	// header are lines, each "Name: value".
	header []string
	body   []byte
	// address is the client's, as far as the server sees it.
	address netip.Addr
}

// The errors of a request say nothing of its text, which may hold secrets.
var (
	errNoURL     = usagef("the URL is not one like https://api.example.com/path")
	errNoRequest = usagef("this is no HTTP request: it takes a method, a URL and lines like 'Name: value'")
)

// maxAsked bounds what is read of a request.
const maxAsked = 1 << 20

// read adds what stands on standard input: header lines, and after an empty
// line a body. Without a method and a URL yet, they stand on the first line.
func (a *askedRequest) read(in io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(in, maxAsked+1))
	if err != nil || len(text) > maxAsked {
		return usagef("the request cannot be read from standard input, or is longer than %d bytes", maxAsked)
	}
	for first := true; len(text) > 0; first = false {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch {
		case first && a.method == "":
			words := strings.Fields(string(line))
			if len(words) < 2 || len(words) > 3 {
				return errNoRequest
			}
			a.method, a.url = words[0], words[1]
		case len(line) == 0:
			a.body = text
			return nil
		default:
			a.header = append(a.header, string(line))
		}
	}
	if a.method == "" {
		return errNoRequest
	}
	return nil
}

// target is where a URL leads: what stands in a request line, and around it.
type target struct {
	secure     bool
	host, port string // port is "" where the URL names none
	authority  string
	path       string // with the query, as it was written
}

// target takes a URL apart and leaves its path alone: another spelling would be
// another request.
func (a *askedRequest) target() (target, error) {
	var t target
	scheme, rest, ok := strings.Cut(a.url, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return t, errNoURL
	}
	t.secure = scheme == "https"
	t.authority, t.path = rest, "/"
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		t.authority, t.path = rest[:at], rest[at:]
	}
	if strings.HasPrefix(t.path, "?") {
		t.path = "/" + t.path
	}
	var err error
	if t.host, t.port, err = net.SplitHostPort(t.authority); err != nil {
		t.host, t.port = strings.Trim(t.authority, "[]"), ""
	}
	if t.host == "" || strings.ContainsAny(t.authority, "@ ") {
		return t, errNoURL
	}
	return t, nil
}

// request returns the request as a server reads it off the wire: the bytes are
// written and read again, so that nothing is tidied up on the way.
func (a *askedRequest) request(t target) (*http.Request, error) {
	var wire bytes.Buffer
	wire.WriteString(a.method + " " + t.path + " HTTP/1.1\r\n")
	if !a.has("Host") {
		wire.WriteString("Host: " + t.authority + "\r\n")
	}
	for _, line := range a.header {
		if strings.ContainsAny(line, "\r\n") || line == "" {
			return nil, errNoRequest
		}
		wire.WriteString(line + "\r\n")
	}
	wire.WriteString("\r\n")
	r, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return nil, errNoRequest
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(a.body)), int64(len(a.body))
	if len(a.body) == 0 {
		r.Body = http.NoBody
	}
	r.RemoteAddr = netip.AddrPortFrom(a.address, 1).String()
	if t.secure {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, ServerName: t.host}
	}
	return r, nil
}

func (a *askedRequest) has(field string) bool {
	for _, line := range a.header {
		if name, _, _ := strings.Cut(line, ":"); strings.EqualFold(strings.TrimSpace(name), field) {
			return true
		}
	}
	return false
}

// tells reports whether a header line holds what others should not see on a
// command line.
func tells(line string) bool {
	name, _, _ := strings.Cut(line, ":")
	return alwaysHidden.headers.has(name)
}
