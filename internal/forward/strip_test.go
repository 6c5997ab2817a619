package forward_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/forward"
)

func TestStripHeader(t *testing.T) {
	long := "X-" + strings.Repeat("Long-", 20) + "User"
	fields := forward.NewFields([]string{"X-User", "Remote-User", "X-Seven", long}, "X-Api-Key", "Apikey")
	for name, c := range map[string]struct{ in, want http.Header }{
		"what is not ours stays": {
			http.Header{"X-Other": {"1"}, "Authorization": {"Bearer a"}, "X-Api-Key": {"k"}, "X-Forwarded-For": {"::1"}},
			http.Header{"X-Other": {"1"}, "Authorization": {"Bearer a"}, "X-Api-Key": {"k"}, "X-Forwarded-For": {"::1"}},
		},
		"every default field goes": {
			http.Header{"X-Auth-Subject": {"b"}, "X-Auth-Anything": {"b"}, "X-Auth-Roles": {"a", "b"}},
			http.Header{},
		},
		"every spelling of one goes": {
			http.Header{
				"x-auth-subject": {"b"}, "X_Auth_Subject": {"b"}, "X-Auth_Subject": {"b"}, "X.Auth.Subject": {"b"},
				"x-AUTH-subject": {"b"}, "X~Auth!Subject": {"b"}, "x_auth-x": {"b"},
			},
			http.Header{},
		},
		"configured fields go in every spelling": {
			http.Header{"X-User": {"b"}, "x_user": {"b"}, "REMOTE_USER": {"b"}, "Remote.User": {"b"}},
			http.Header{},
		},
		"a long name goes, another long one stays": {
			http.Header{strings.ToUpper(long): {"b"}, long + "2": {"1"}, "X-Auth-" + long: {"b"}},
			http.Header{long + "2": {"1"}},
		},
		"longer and shorter names are others": {
			http.Header{"X-Users": {"1"}, "X-Use": {"1"}, "X-Auth": {"1"}, "X-Auth-": {"1"}, "X-Authority": {"1"}, "Remote-User-Agent": {"1"}},
			http.Header{"X-Users": {"1"}, "X-Use": {"1"}, "X-Auth": {"1"}, "X-Auth-": {"1"}, "X-Authority": {"1"}, "Remote-User-Agent": {"1"}},
		},
		"what names another method goes": {
			http.Header{"X-Http-Method-Override": {"DELETE"}, "X-Http-Method": {"PUT"}, "X_Method_Override": {"PATCH"}, "X-Original-Method": {"PUT"}},
			http.Header{},
		},
		"what names another path goes": {
			http.Header{"X-Original-Url": {"/admin"}, "X-Rewrite-Url": {"/admin"}, "x_rewrite_url": {"/admin"}},
			http.Header{},
		},
		"the upgrade to HTTP/2 in the clear goes": {
			http.Header{"Upgrade": {"H2C"}, "Http2-Settings": {"AAMAAABk"}, "Connection": {"Upgrade, HTTP2-Settings"}},
			http.Header{"Connection": {"Upgrade"}},
		},
		"another upgrade stays": {
			http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
			http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
		},
		"one of several upgrades goes": {
			http.Header{"Upgrade": {"h2c, websocket", "h2c"}},
			http.Header{"Upgrade": {"websocket"}},
		},
		"an ordinary Connection stays byte for byte": {
			http.Header{"Connection": {"keep-alive,  X-Custom"}},
			http.Header{"Connection": {"keep-alive,  X-Custom"}},
		},
		"Connection names no identity field": {
			http.Header{"Connection": {"close, X-Auth-Subject"}},
			http.Header{"Connection": {"close"}},
		},
		"Connection names none in another spelling": {
			http.Header{"Connection": {"x_auth_subject ,\tX.USER,close"}},
			http.Header{"Connection": {"close"}},
		},
		"several Connection fields name none": {
			http.Header{"Connection": {"X-Auth-Roles", "close", "x-user"}},
			http.Header{"Connection": {"close"}},
		},
		"a raw spelling of Connection names none": {
			http.Header{"connection": {"close, X-Auth-Subject"}},
			http.Header{"connection": {"close"}},
		},
		"Connection names no credential": {
			http.Header{"Connection": {"Authorization, x-api-key, APIKEY, Cookie"}},
			http.Header{},
		},
		"Connection names nothing that proxies set": {
			http.Header{"Connection": {"X-Forwarded-For, x-forwarded-proto, Forwarded, X-Real-Ip, Host"}},
			http.Header{},
		},
		"Connection takes no body apart": {
			http.Header{"Connection": {"Content-Type, content-length"}},
			http.Header{},
		},
		"Trailer announces no identity field": {
			http.Header{"Trailer": {"X-Checksum, X-Auth-Subject"}},
			http.Header{"Trailer": {"X-Checksum"}},
		},
		"a field without a name is no trouble": {http.Header{"": {"x"}}, http.Header{"": {"x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			fields.StripHeader(c.in)
			if !reflect.DeepEqual(c.in, c.want) {
				t.Errorf("left are %v, want %v", c.in, c.want)
			}
		})
	}
}

func TestStripCleansTrailers(t *testing.T) {
	fields := forward.NewFields(nil, "X-Api-Key")
	trailer := http.Header{"X-Checksum": nil, "X-Auth-Subject": nil, "X_auth_roles": nil, "Authorization": nil, "X-Api-Key": nil}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body"))
	r.Trailer = trailer
	fields.Strip(r)
	if len(trailer) != 1 {
		t.Errorf("announced are %v", trailer)
	}
	copied := r.WithContext(t.Context())
	trailer["X-Checksum"], trailer["X-Auth-Subject"] = []string{"1"}, []string{"b"} // as a server does at the end
	if _, err := io.ReadAll(copied.Body); err != nil {
		t.Fatal(err)
	}
	if len(copied.Trailer) != 1 || copied.Trailer.Get("X-Checksum") != "1" {
		t.Errorf("arrived are %v", copied.Trailer)
	}
}

// The server makes the map of trailers itself where none were announced.
func TestStripCleansTrailersThatComeWithoutAMap(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.TransferEncoding = []string{"chunked"}
	r.Body = io.NopCloser(atEnd(func() { r.Trailer = http.Header{"X-Auth-Subject": {"b"}, "X-Checksum": {"1"}} }))
	forward.NewFields(nil).Strip(r)
	if _, err := io.ReadAll(r.Body); err != nil {
		t.Fatal(err)
	}
	if len(r.Trailer) != 1 || r.Trailer.Get("X-Checksum") != "1" {
		t.Errorf("arrived are %v", r.Trailer)
	}
}

// atEnd is an empty body that calls a function as it ends.
type atEnd func()

func (end atEnd) Read([]byte) (int, error) { end(); return 0, io.EOF }

func TestStripLeavesABodyWithoutTrailersAlone(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body"))
	before := r.Body
	forward.NewFields(nil).Strip(r)
	if r.Body != before {
		t.Error("the body was wrapped")
	}
}

// An HTTP/1 server takes trailers that nobody announced, after the handler has
// seen the request: they must not get through a proxy either.
func TestStripCleansTrailersThatNobodyAnnounced(t *testing.T) {
	arrived := make(chan http.Header, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- r.Trailer
	}))
	defer upstream.Close()
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	fields, seen := forward.NewFields(nil), make(chan http.Header, 1)
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fields.Strip(r)
		proxy.ServeHTTP(w, r)
		seen <- r.Trailer
	}))
	defer front.Close()

	conn, err := net.Dial("tcp", front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum, X-Auth-Roles\r\n\r\n"+
		"4\r\nbody\r\n0\r\nX-Checksum: 1\r\nX-Auth-Subject: b\r\nx-auth-roles: admin\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", res, err)
	}
	for where, trailer := range map[string]http.Header{"upstream": <-arrived, "gateway": <-seen} {
		for name := range trailer {
			if name != "X-Checksum" {
				t.Errorf("the %s got %v", where, trailer)
			}
		}
	}
}

func FuzzStripHeader(f *testing.F) {
	for _, s := range []string{"X-Auth-Subject", "x_auth.roles", "Connection", "X-User", "X-Http-Method", "Upgrade", ""} {
		f.Add(s, "close, x-auth-subject")
		f.Add(s, "h2c")
	}
	fields := forward.NewFields([]string{"X-User"})
	f.Fuzz(func(t *testing.T, name, value string) {
		h := http.Header{name: {value}, "Connection": {value}, "X-Other": {value}}
		fields.StripHeader(h)
		if h.Get("X-Other") != value && name != "X-Other" {
			t.Fatal("a field that is not ours has changed")
		}
		for n := range h {
			folded := strings.Map(alike, strings.ToLower(n))
			if strings.HasPrefix(folded, "x-auth-") && len(folded) > 7 || folded == "x-user" {
				t.Fatalf("%q got through", n)
			}
		}
		for token := range strings.SplitSeq(h.Get("Connection"), ",") {
			if folded := strings.Map(alike, strings.ToLower(strings.Trim(token, " \t"))); strings.HasPrefix(folded, "x-auth-s") {
				t.Fatalf("Connection still names %q", token)
			}
		}
		once := h.Clone()
		if fields.StripHeader(h); !reflect.DeepEqual(h, once) {
			t.Fatalf("a second pass made %v of %v", h, once)
		}
	})
}

func alike(c rune) rune {
	if c == '-' || c == '_' || c == '.' {
		return '-'
	}
	return c
}

// typical is the header of an ordinary client.
func typical() http.Header {
	return http.Header{
		"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Authorization": {"Bearer x"}, "Connection": {"keep-alive"},
		"Content-Type": {"application/json"}, "User-Agent": {"curl/8"}, "X-Request-Id": {"1"}, "Cookie": {"a=b"},
	}
}

func TestStrippingAllocatesNothingWhereNothingGoes(t *testing.T) {
	fields := forward.NewFields([]string{"X-User"}, "X-Api-Key")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = typical()
	if n := testing.AllocsPerRun(100, func() { fields.Strip(r) }); n != 0 {
		t.Errorf("stripping costs %v allocations", n)
	}
}

func BenchmarkStrip(b *testing.B) {
	fields := forward.NewFields([]string{"X-User"}, "X-Api-Key")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = typical()
	b.ReportAllocs()
	for b.Loop() {
		fields.Strip(r)
	}
}
