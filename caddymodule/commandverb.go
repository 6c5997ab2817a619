package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// verb is one thing that can be done to what the store keeps.
type verb struct {
	// use is the name and the arguments, e.g. "show <username>"; short says
	// in a line what it does, long in more of them.
	use, short, long string
	// args is how many arguments there must be, or optional: none or one.
	args  int
	flags func(*pflag.FlagSet)
	// before refuses what cannot be and reads secrets, ahead of the store
	// being opened. nil does nothing.
	before func(*operation) error
	run    func(*operation) error
	// apart does what run does without the store being opened for it.
	apart func(*operation, *place) error
}

// optional is the number of arguments of a verb that takes one or none.
const optional = -1

// operation is a verb at work.
type operation struct {
	context.Context
	cmd   *cobra.Command
	args  []string
	json  bool
	admin *admin.Admin
}

// group returns a command whose verbs share the flags that say which store is
// meant.
func group(name, short, long string, verbs ...verb) command {
	return command{name: name, short: short, long: long, build: func(cmd *cobra.Command) {
		asGroup(cmd)
		var at place
		at.flags(cmd.PersistentFlags())
		json := cmd.PersistentFlags().Bool("json", false, "Print JSON")
		for _, v := range verbs {
			cmd.AddCommand(v.command(&at, json))
		}
	}}
}

// asGroup makes a command one that only says what stands below it. Asked for
// anything else it is used wrongly.
func asGroup(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return finish(c, badUsage{err}) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return finish(cmd, usagef("there is no %q", args[0]))
		}
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		return finish(cmd, usagef("say what to do: %s", alternatives(names)))
	}
}

func (v verb) command(at *place, json *bool) *cobra.Command {
	cmd := &cobra.Command{Use: v.use, Short: v.short, Long: v.long}
	if v.flags != nil {
		v.flags(cmd.Flags())
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return finish(cmd, v.do(&operation{Context: ctx, cmd: cmd, args: args, json: *json}, at))
	}
	return cmd
}

func (v verb) do(o *operation, at *place) (err error) {
	if len(o.args) != v.args && (v.args != optional || len(o.args) > 1) {
		return usagef("wrong number of arguments: it is %s %s", o.cmd.Parent().CommandPath(), v.use)
	}
	if err := noneEmpty(o.cmd.Flags()); err != nil {
		return err
	}
	if err := at.check(); err != nil {
		return err
	}
	if v.before != nil {
		if err := v.before(o); err != nil {
			return err
		}
	}
	if v.apart != nil {
		return v.apart(o, at)
	}
	var done func() error
	if o.admin, done, err = at.open(o); err != nil {
		return err
	}
	return errors.Join(v.run(o), done())
}

// narrowing are the flags that say whose something is, or where.
var narrowing = []string{"account", "tenant", "unit", "realm", "config", "adapter", "from", "to", "to-config"}

// noneEmpty refuses an empty value where it would mean more than what was
// meant: a variable that a script forgot to set makes no token of all tenants.
func noneEmpty(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.String() == "" && slices.Contains(narrowing, f.Name) {
			err = usagef("--%s needs a value", f.Name)
		}
	})
	return err
}

// badUsage is an error in the command line: exit code 2.
type badUsage struct{ error }

// unusable is an error in what a command was given to look at: exit code 2 too,
// and no line of help would help.
type unusable struct{ error }

func usagef(format string, args ...any) error { return badUsage{fmt.Errorf(format, args...)} }

// isUsage reports whether an error is in what was typed.
func isUsage(err error) bool {
	if _, ok := errors.AsType[badUsage](err); ok {
		return true
	}
	if _, ok := errors.AsType[unusable](err); ok {
		return true
	}
	e, ok := errors.AsType[*auth.Error](err)
	return ok && e.Code == auth.Malformed
}
