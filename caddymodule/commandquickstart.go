package caddymodule

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
)

func quickstartCommand() command {
	return command{
		name:  "quickstart",
		short: "Runs a Caddyfile and shows what to try",
		long: `
Runs a Caddyfile on the embedded store. The first time it makes a demo account
and an API key with random secrets and prints them, once; every time it prints
curl lines that log in and make guarded calls.`,
		build: func(cmd *cobra.Command) {
			config := cmd.Flags().StringP("config", "c", "Caddyfile", "The Caddyfile to run")
			cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return finish(c, badUsage{err}) })
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return finish(cmd, usagef("quickstart takes no arguments"))
				}
				return finish(cmd, quickstart(cmd, *config))
			}
		},
	}
}

// quickstart runs until it is told to stop.
func quickstart(cmd *cobra.Command, path string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	if err := startQuickstart(cmd.Context(), path, cmd.OutOrStdout()); err != nil {
		return err
	}
	<-stop
	return caddy.Stop()
}
