package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/docs/openapi"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// described is a dialect that also serves the OpenAPI document of its calls,
// to anyone: it says no more than the documentation does.
type described struct {
	dialect.Dialect
	at   dialect.Route
	cors dialect.CORS
	text []byte
	// tag is the ETag of text.
	tag string
}

// describe returns d as it serves its document where c says so.
func describe(d dialect.Dialect, k dialect.Kind, c dialect.Config) (dialect.Dialect, error) {
	if c.OpenAPI == "" {
		return d, nil
	}
	text, ok := openapi.At(k.Name, k.Moved(c))
	if !ok {
		return nil, fmt.Errorf("openapi: there is no document of %s", k.Name)
	}
	calls, err := openapi.Paths(text)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	if slices.ContainsFunc(calls, func(call string) bool { return strings.EqualFold(call, c.OpenAPI) }) {
		return nil, fmt.Errorf("openapi: %s is one of its calls: the document needs a path of its own", c.OpenAPI)
	}
	cors, err := dialect.NewCORS(c.CORS)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	fold := slices.ContainsFunc(d.Routes(), func(r dialect.Route) bool { return r.Fold })
	return described{
		Dialect: d, at: dialect.Route{Path: c.OpenAPI, Fold: fold, Exact: true}, cors: cors,
		text: text, tag: `"` + hex.EncodeToString(sum[:16]) + `"`,
	}, nil
}

// Routes adds the document's path, which may stand outside the base path.
func (d described) Routes() []dialect.Route {
	return append(slices.Clone(d.Dialect.Routes()), d.at)
}

func (d described) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !d.at.Covers(r.URL.Path) {
		d.Dialect.ServeHTTP(w, r)
		return
	}
	if d.cors.Answer(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		dialect.Refused(r.Context(), auth.Fail(auth.Malformed, auth.ReasonMethod, nil))
		w.Header().Set("Allow", "GET, HEAD")
		writeProblem(w, http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("ETag", d.tag)
	h.Set("Cache-Control", "no-cache") // kept, but asked about: a reload may change it
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.text))
}
