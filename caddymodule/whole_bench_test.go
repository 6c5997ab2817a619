package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
)

// route is a site of a running Caddy, without the network before it and an
// upstream behind it, and a request to it.
type route struct {
	server  *caddyhttp.Server
	request *http.Request
	fields  http.Header
	answer  discarded
}

// discarded takes an answer and forgets it, but for its status.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(status int)      { d.status = status }

// newRoutes starts two sites that differ in the guard alone. Requests to both
// have the same good token.
func newRoutes(t testing.TB) (bare, guarded *route) {
	t.Helper()
	w := prepare(t)
	other := "http://" + freeAddress(t)
	w.load(setting{
		log: "\n\toutput discard\n\tformat gatehouse",
		sites: other + " {\n\trespond ok\n}\nSITE {\n\tgatehouse {\n\t\tlogin management\n\t\taccept bearer api_key\n" +
			"\t\tpublic /healthz\n\t\trequire /admin/* {\n\t\t\trole admin\n\t\t}\n\t}\n\trespond ok\n}\n",
	})
	w.account(admin.NewAccount{Username: annName, Roles: []string{"editor"}})
	_, token := w.token(annName, "")
	bare, guarded = newRoute(t, other, token), newRoute(t, w.site, token)
	for _, r := range []*route{bare, guarded} {
		if status := r.serve(); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	return bare, guarded
}

func newRoute(t testing.TB, site, token string) *route {
	t.Helper()
	v, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/things/1?a=b", nil)
	r.Host = strings.TrimPrefix(site, "http://")
	for _, server := range v.(*caddyhttp.App).Servers {
		if slices.Contains(server.Listen, "tcp/"+r.Host) || slices.Contains(server.Listen, r.Host) {
			return &route{
				server: server, request: r, answer: discarded{header: http.Header{}},
				fields: http.Header{
					"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}, "User-Agent": {"gatehouse-bench"},
					"X-Request-Id": {"4711"}, "Authorization": {"Bearer " + token},
				},
			}
		}
	}
	t.Fatalf("no server listens on %s", r.Host)
	return nil
}

// serve serves the request once more. It allocates nothing itself.
func (r *route) serve() int {
	clear(r.request.Header)
	clear(r.answer.header)
	for name, values := range r.fields {
		r.request.Header[name] = values
	}
	r.answer.status = 0
	r.server.ServeHTTP(&r.answer, r.request)
	return r.answer.status
}

// batch serves some requests and returns how long they took.
func (r *route) batch(n int) time.Duration {
	began := time.Now()
	for range n {
		r.serve()
	}
	return time.Since(began)
}

func BenchmarkRouteBare(b *testing.B) {
	bare, _ := newRoutes(b)
	b.ReportAllocs()
	for b.Loop() {
		bare.serve()
	}
}

func BenchmarkRouteGuarded(b *testing.B) {
	_, guarded := newRoutes(b)
	b.ReportAllocs()
	for b.Loop() {
		guarded.serve()
	}
}

// BenchmarkRouteAdded serves both by turns and reports what the guard adds, in
// parts of what the route costs without it: the median, since other work of
// the machine falls on one turn or the other.
func BenchmarkRouteAdded(b *testing.B) {
	const turn = 200
	bare, guarded := newRoutes(b)
	var added []float64
	for b.Loop() {
		without, with := bare.batch(turn), guarded.batch(turn)
		added = append(added, float64(with-without)/float64(without))
	}
	slices.Sort(added)
	b.ReportMetric(added[len(added)/2], "added/bare")
}

// A request whose caller is known costs no more allocations than promised,
// with the identity told, the credential stripped and everything counted.
func TestWholeAllocations(t *testing.T) {
	const promised = 4
	bare, guarded := newRoutes(t)
	without := testing.AllocsPerRun(500, func() { bare.serve() })
	with := testing.AllocsPerRun(500, func() { guarded.serve() })
	t.Logf("%v allocations without the guard, %v with it", without, with)
	if with-without > promised {
		t.Errorf("the guard adds %v allocations, promised are %d", with-without, promised)
	}
}
