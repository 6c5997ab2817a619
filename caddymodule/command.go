package caddymodule

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// command is one of the commands that Caddy gains: `gatehouse account` in our
// own binary, `caddy gatehouse account` in a custom build.
type command struct {
	name, short, long string
	// build adds flags, and either commands below it or what it does.
	build func(*cobra.Command)
}

// commands lists them all. Each call returns new ones: what their flags are
// read into is their own.
func commands() []command {
	return []command{
		quickstartCommand(),
		accountCommand(),
		keyCommand(),
		tokenCommand(),
		tenantCommand(),
		unitCommand(),
		identifierCommand(),
		signingKeyCommand(),
		keyRingCommand(),
		storeCommand(),
		explainCommand(),
		lintCommand(),
	}
}

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "gatehouse",
		Short: "Manages the accounts, keys and tokens of the gateway",
		Long: `
Manages what the gateway keeps: accounts, API keys, tokens, tenants, units,
access identifiers, signing keys, the key ring and the store as a whole. All but
the key ring works while the gateway runs and takes effect there at once.`,
		CobraFunc: func(cmd *cobra.Command) {
			asGroup(cmd)
			explained(cmd)
			// Where each stands beside Caddy's own, nobody needs a second way.
			_, cmd.Hidden = caddycmd.Commands()[accountCommand().name]
			for _, c := range commands() {
				sub := &cobra.Command{Use: c.name, Short: c.short, Long: c.long}
				c.build(sub)
				cmd.AddCommand(sub)
			}
		},
	})
}

// RegisterCommands puts the commands beside Caddy's own, for a binary in which
// nothing else needs their names. Call it once, before Caddy's main function.
// Without it they are found below the command gatehouse only.
func RegisterCommands() {
	for _, c := range commands() {
		caddycmd.RegisterCommand(caddycmd.Command{
			Name: c.name, Short: c.short, Long: c.long, CobraFunc: func(cmd *cobra.Command) {
				c.build(cmd)
				cmd.Use = c.name
				explained(cmd)
			},
		})
	}
}

// explained has the help of a command and those below it say where its own
// documentation stands: Caddy's would name that of Caddy.
func explained(cmd *cobra.Command) {
	cmd.SetHelpTemplate(cmd.HelpTemplate() +
		"\nEvery flag, member and exit code: docs/commands.md of https://github.com/gatehouse-auth/gatehouse\n")
}
