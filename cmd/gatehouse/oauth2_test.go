package main

import (
	"testing"
)

// TestOAuthClient runs oauth4webapi against oauth2, with two clients that must
// not get at each other's tokens.
func TestOAuthClient(t *testing.T) {
	g := newClientGateway(t, "oauth2")
	g.imported("", [2]string{"ann", "user"}, [2]string{"bob", "user"})
	id, secret := g.made("key", "key", "create", "--account", "ann", "--scopes", "orders,stock")
	otherID, otherSecret := g.made("key", "key", "create", "--account", "bob", "--scopes", "orders,stock")
	g.node(t, "client.mjs", "CLIENT_ID="+id, "CLIENT_SECRET="+secret, "OTHER_ID="+otherID, "OTHER_SECRET="+otherSecret)
}
