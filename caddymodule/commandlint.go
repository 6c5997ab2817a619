package caddymodule

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/internal/lint"
)

// linting is what the command lint is told.
type linting struct {
	at     place
	sarif  bool
	failOn string
}

func lintCommand() command {
	return command{
		name:  "lint",
		short: "Finds holes in a Caddyfile",
		long: `
Finds holes in a Caddyfile: upstreams without a guard, rules that open more than
was meant, secrets in the file, logs that show them. Nothing is started and no
store is opened. The exit code is 0 without findings or with notes alone, 1 with
worse, 2 where the file cannot be used.

  gatehouse lint
  gatehouse lint deploy/Caddyfile --sarif > gatehouse.sarif`,
		build: func(cmd *cobra.Command) {
			var l linting
			f := cmd.Flags()
			f.StringVarP(&l.at.config, "config", "c", "", "Configuration to look at (default: the Caddyfile here)")
			f.StringVarP(&l.at.adapter, "adapter", "a", "", "Name of the adapter of the configuration")
			f.BoolVar(&l.sarif, "sarif", false, "Print SARIF 2.1.0, for code scanners")
			f.StringVar(&l.failOn, "fail-on", lint.Warning.String(), "Severity from which the exit code is 1: note, warning or error")
			json := f.Bool("json", false, "Print JSON")
			cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return finish(c, badUsage{err}) })
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				return finish(cmd, l.run(&operation{Context: cmd.Context(), cmd: cmd, args: args, json: *json}))
			}
		},
	}
}

func (l *linting) run(o *operation) error {
	threshold, err := l.check(o)
	if err != nil {
		return err
	}
	found, err := findings(l.at.config, l.at.adapter)
	if err != nil {
		return err
	}
	switch {
	case l.sarif:
		o.json = true
		err = o.show(lint.NewSARIF(found))
	case o.json:
		err = o.show(lintDoc(found))
	default:
		err = o.showFindings(found)
	}
	if worst, ok := lint.Worst(found); err == nil && ok && worst >= threshold {
		return errTold
	}
	return err
}

// check reads the arguments and flags.
func (l *linting) check(o *operation) (threshold lint.Severity, err error) {
	switch {
	case len(o.args) > 1 || len(o.args) == 1 && l.at.config != "":
		return 0, usagef("wrong number of arguments: it is lint [<Caddyfile>]")
	case len(o.args) == 1:
		l.at.config = o.args[0]
	}
	if l.sarif && o.json {
		return 0, usagef("--json and --sarif exclude each other")
	}
	if threshold, err = lint.ParseSeverity(l.failOn); err != nil {
		return 0, usagef("--fail-on: %w", err)
	}
	return threshold, nil
}

// findings looks at a configuration.
func findings(config, adapter string) (found []lint.Finding, err error) {
	body, err := wholeConfig(config, adapter)
	if err != nil {
		return nil, unusable{err}
	}
	text, name, err := readConfig(config)
	if err != nil {
		return nil, unusable{err}
	}
	err = tryOut(body, false, func(d *dryRun) error {
		c, err := lintConfig(d, body, readSource(name, text))
		if err == nil {
			found = lint.Check(c)
		}
		return err
	})
	if err != nil {
		return nil, unusable{err}
	}
	return found, nil
}

// lintJSON is what was found, in JSON.
type lintJSON struct {
	Findings []findingJSON `json:"findings"`
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
	Notes    int           `json:"notes"`
}

// findingJSON is one finding; the line is 0 where it is not known.
type findingJSON struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Message  string `json:"message"`
	Remedy   string `json:"remedy"`
}

func lintDoc(found []lint.Finding) lintJSON {
	doc := lintJSON{Findings: make([]findingJSON, len(found))}
	for i, f := range found {
		doc.Findings[i] = findingJSON{
			f.Rule.ID, f.Rule.Name, f.Rule.Severity.String(), f.Place.File, f.Place.Line, f.Message, f.Rule.Remedy,
		}
		switch f.Rule.Severity {
		case lint.Error:
			doc.Errors++
		case lint.Warning:
			doc.Warnings++
		case lint.Note:
			doc.Notes++
		}
	}
	return doc
}

// showFindings prints each as its place and what it is, in the form that
// editors know, and what to do below.
func (o *operation) showFindings(found []lint.Finding) error {
	out := o.cmd.OutOrStdout()
	for _, f := range found {
		at := f.Place.File
		if f.Place.Line > 0 {
			at = fmt.Sprintf("%s:%d", at, f.Place.Line)
		}
		_, err := fmt.Fprintf(out, "%s: %s %s: %s\n\t%s\n", visible(at), f.Rule.Severity, f.Rule.ID, visible(f.Message), f.Rule.Remedy)
		if err != nil {
			return err
		}
	}
	doc := lintDoc(found)
	_, err := fmt.Fprintf(out, "errors: %d, warnings: %d, notes: %d\n", doc.Errors, doc.Warnings, doc.Notes)
	return err
}
