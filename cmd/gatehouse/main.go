// Command gatehouse is Caddy with the Gatehouse module built in.
package main

import (
	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/gatehouse-auth/gatehouse/caddymodule"
)

func main() {
	caddy.CustomBinaryName = "gatehouse"
	caddy.CustomVersion = version()
	caddy.CustomLongDescription = description
	caddymodule.RegisterCommands()
	caddycmd.Main()
}

const description = `Gatehouse is a reverse-proxy authentication gateway: Caddy with the Gatehouse
module built in. It answers the login endpoints of an API itself, checks the
credential of every other request and forwards only what passed.

	$ gatehouse quickstart              try it with the repository's Caddyfile
	$ gatehouse run                     run with the Caddyfile in this folder
	$ gatehouse account add joe         let somebody log in
	$ gatehouse key create --account joe

The other commands are Caddy's own and do what they do there.
`
