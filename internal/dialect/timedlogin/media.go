package timedlogin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// The media types of the page, and those that ASP.NET Web API takes beside.
const (
	appJSON  = "application/json"
	appXML   = "application/xml"
	textJSON = "text/json"
	textXML  = "text/xml"
)

// media lists the types that are read and written, the preferred one first.
type media []string

func newMedia(strict bool) media {
	if strict {
		return media{appJSON, appXML}
	}
	return media{appJSON, textJSON, appXML, textXML}
}

func (m media) reads(name string) bool { return slices.Contains(m, name) }

// forLogin picks the type of the answer to one of the dialect's own calls: what
// Accept likes best, JSON where it likes none of ours, and without Accept the
// type of the request. Never 406.
func (m media) forLogin(r *http.Request) string {
	if accept := dialect.ParseAccept(r.Header); len(accept) > 0 {
		return m.best(accept)
	}
	if t, err := dialect.ContentType(r.Header); err == nil && m.reads(t.Name) {
		return t.Name
	}
	return appJSON
}

// forGuard picks the type of a refusal: Accept, else JSON.
func (m media) forGuard(r *http.Request) string {
	return m.best(dialect.ParseAccept(r.Header))
}

func (m media) best(accept dialect.Accept) string {
	if best, ok := accept.Best(m...); ok {
		return best
	}
	return appJSON
}

// isXML tells the two formats apart, whatever tree a type stands in.
func isXML(name string) bool { return strings.HasSuffix(name, "/xml") }
