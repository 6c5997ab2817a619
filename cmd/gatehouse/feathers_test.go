package main

import (
	"strings"
	"testing"
)

// TestFeathersClients runs @feathersjs/authentication-client and
// @feathersjs/rest-client against login_token, over both transports in use.
func TestFeathersClients(t *testing.T) {
	g := newClientGateway(t, "feathers")
	for _, transport := range []string{"fetch", "axios"} {
		var accounts [][2]string
		env := []string{"TRANSPORT=" + transport, "PASSWORD=" + clientPassword}
		for _, a := range [][2]string{{"ann", "user"}, {"victim", "user"}, {"guest", "guest"}, {"admin", "admin"}} {
			name := a[0] + "-" + transport
			accounts = append(accounts, [2]string{name, a[1]})
			env = append(env, strings.ToUpper(a[0])+"="+name)
		}
		g.imported("", accounts...)
		_, key := g.made("key", "key", "create", "--account", "ann-"+transport, "--permissions", "read,write,delete,create")
		env = append(env, "KEY="+key)
		for _, program := range []string{"login-tokens", "authentication"} {
			t.Run(program+" over "+transport, func(t *testing.T) { g.node(t, program+".mjs", env...) })
		}
	}
}
