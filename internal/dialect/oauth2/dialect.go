package oauth2

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// Dialect answers the endpoints at one base path.
type Dialect struct {
	base  string
	limit int64
	// issuer is "" where each request names its own.
	issuer    string
	refreshes bool
	cors      dialect.CORS
	service   Service
	calls     map[string]call
}

var _ dialect.Dialect = (*Dialect)(nil)

// call is one endpoint.
type call struct {
	methods []string
	serve   func(http.ResponseWriter, *http.Request)
}

func (d *Dialect) table() map[string]call {
	post, get := []string{http.MethodPost}, []string{http.MethodGet, http.MethodHead}
	calls := map[string]call{
		d.base + tokenPath:      {post, d.token},
		d.base + introspectPath: {post, d.introspect},
		d.base + revokePath:     {post, d.revoke},
		d.base + jwksPath:       {get, d.jwks},
	}
	for _, path := range d.metadataPaths() {
		calls[path] = call{get, d.metadata}
	}
	return calls
}

// Routes returns the base path and the places of the metadata. All are exact
// in their case, as the paths of a URL are.
func (d *Dialect) Routes() []dialect.Route {
	routes := []dialect.Route{{Path: d.base}}
	for _, path := range d.metadataPaths() {
		routes = append(routes, dialect.Route{Path: path, Exact: true})
	}
	return routes
}

// ServeHTTP answers one call.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := d.calls[r.URL.Path]
	switch {
	case !ok:
		d.fail(w, r, atRequest, auth.Fail(auth.NotFound, auth.ReasonPath, nil))
	case d.cors.Answer(w, r, c.methods...):
	case !slices.Contains(c.methods, r.Method):
		w.Header().Set("Allow", strings.Join(c.methods, ", "))
		d.fail(w, r, atRequest, auth.Fail(auth.Malformed, auth.ReasonMethod, nil))
	case r.Method == http.MethodPost && dialect.EarlyData(r):
		d.fail(w, r, atRequest, auth.Fail(auth.Malformed, auth.ReasonEarlyData, nil))
	default:
		c.serve(w, r)
	}
}
