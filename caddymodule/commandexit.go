package caddymodule

import (
	"context"
	"errors"
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
)

// The exit codes of every command beside 0.
const (
	exitRefused = 1
	exitUsage   = 2
)

// errTold ends a command whose failure has been printed.
var errTold = errors.New("told already")

// finish prints an error as one sentence and has the process end with the code
// that fits: Caddy's own way would print it as a line of log. nil stays nil.
func finish(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	if !errors.Is(err, errTold) {
		cmd.PrintErrf("gatehouse: %s\n", visible(sentence(err))+hint(cmd, err))
	}
	code := exitRefused
	if isUsage(err) {
		code = exitUsage
	}
	cmd.SilenceErrors = true
	return exitWith(cmd, code)
}

func sentence(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return admin.Text(err)
}

// hint says where a command line that is wrong as such is explained.
func hint(cmd *cobra.Command, err error) string {
	if _, ok := errors.AsType[badUsage](err); !ok {
		return ""
	}
	return fmt.Sprintf(" (see '%s --help')", cmd.CommandPath())
}

// exitWith returns the error that makes Caddy's main function end with a code:
// its type is Caddy's own, and only this makes one. A code of 1 is any error.
func exitWith(cmd *cobra.Command, code int) error {
	ended := caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, nil)
	if ended == nil {
		return fmt.Errorf("exiting with status %d", code)
	}
	return ended
}
