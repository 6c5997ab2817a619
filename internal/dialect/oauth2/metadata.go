package oauth2

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

const (
	// wellKnown is where the metadata of an issuer stand, before its path (RFC
	// 8414 section 3.1).
	wellKnown = "/.well-known/oauth-authorization-server"
	jwksPath  = "/jwks"
	// publicAge is for how many seconds anyone may keep what is no secret: the
	// gateway itself reads its keys again as often.
	publicAge = "max-age=60"
)

// metadata is the answer of RFC 8414 section 3.2. response_types_supported is
// required there, and empty here, where nobody is redirected.
type metadata struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	TokenMethods          []string `json:"token_endpoint_auth_methods_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	JWKS                  string   `json:"jwks_uri"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	IntrospectionMethods  []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	RevocationMethods     []string `json:"revocation_endpoint_auth_methods_supported"`
}

// metadataPaths are where clients look: below the path of the issuer, and below
// the base path where that is another.
func (d *Dialect) metadataPaths() []string {
	paths := []string{wellKnown + d.base}
	if u, err := url.Parse(d.issuer); err == nil && d.issuer != "" && u.Path != d.base {
		paths = append(paths, wellKnown+u.Path)
	}
	return paths
}

// metadata says where everything is.
func (d *Dialect) metadata(w http.ResponseWriter, r *http.Request) {
	root, ok := d.root(r)
	if !ok {
		d.fail(w, r, atRequest, badForm(auth.ReasonForm, "the host is none"))
		return
	}
	methods := []string{"client_secret_basic", "client_secret_post"}
	m := metadata{
		Issuer: d.issuer, TokenEndpoint: root + d.base + tokenPath, TokenMethods: methods,
		GrantTypes: []string{grantClient}, ResponseTypes: []string{}, JWKS: root + d.base + jwksPath,
		IntrospectionEndpoint: root + d.base + introspectPath, IntrospectionMethods: methods,
		RevocationEndpoint: root + d.base + revokePath, RevocationMethods: methods,
	}
	if m.Issuer == "" {
		m.Issuer = root + d.base
	}
	if d.refreshes {
		m.GrantTypes = append(m.GrantTypes, grantRefresh)
	}
	writePublic(w, m)
}

// root returns what stands before the base path in URLs that lead here, false
// where the request does not tell. An issuer that ends in the base path has
// before it what a proxy ahead takes off.
func (d *Dialect) root(r *http.Request) (string, bool) {
	if before, ok := strings.CutSuffix(d.issuer, d.base); ok {
		return before, true
	}
	u := &url.URL{Scheme: "https", Host: r.Host}
	if d.issuer != "" {
		issuer, err := url.Parse(d.issuer)
		if err != nil {
			return "", false
		}
		u.Host = issuer.Host
		return u.String(), true
	}
	if r.TLS == nil {
		u.Scheme = "http"
	}
	again, err := url.Parse(u.String())
	return u.String(), err == nil && r.Host != "" && again.Host == r.Host && again.User == nil
}

// jwks lists the public keys of JWTs.
func (d *Dialect) jwks(w http.ResponseWriter, r *http.Request) {
	set, err := d.service.JWKS(r.Context())
	if err != nil {
		d.fail(w, r, atRequest, err)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", publicAge)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(set)
}
