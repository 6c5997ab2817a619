package main

import "testing"

// TestOutsideIssuer has oidc-provider, a certified OpenID Provider that nobody
// here wrote, issue the tokens.
func TestOutsideIssuer(t *testing.T) {
	issuer := freePort(t)
	t.Setenv("ISSUER_PORT", issuer)
	g := newClientGateway(t, "outside")
	g.node(t, "client.mjs")
}
