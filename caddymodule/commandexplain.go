package caddymodule

import (
	"fmt"
	"net/http"
	"net/netip"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// explaining is what the command explain is told.
type explaining struct {
	at      place
	header  []string
	stdin   bool
	address string
	// request is the id of one that was, and logs where to look for it.
	request string
	logs    []string
}

func explainCommand() command {
	return command{
		name:  "explain",
		short: "Says step by step why a request passes or is refused",
		long: `
Says step by step what the gateway would do with a request: which route, login,
rule, credential and row of the store decide. Nothing is forwarded, nobody is
logged in and nothing counts as used; no secret is printed.

  gatehouse explain GET https://api.example.com/x --stdin < header-lines
  gatehouse explain < request
  gatehouse explain --request 1d4f8f46-2a6b-4f0e-9c0b-6d1b7d1f2a33 --log audit.log

The last says what the audit log recorded of a request, and what the store says
of its credential now.`,
		build: func(cmd *cobra.Command) {
			var e explaining
			f := cmd.Flags()
			f.StringVarP(&e.at.config, "config", "c", "", "Configuration to explain (default: the Caddyfile here)")
			f.StringVarP(&e.at.adapter, "adapter", "a", "", "Name of the adapter of the configuration")
			f.StringArrayVarP(&e.header, "header", "H", nil, "Header line of the request, repeatable; secrets better with --stdin")
			f.BoolVar(&e.stdin, "stdin", false, "Read header lines, and after an empty line a body, from standard input")
			f.StringVar(&e.address, "address", "127.0.0.1", "Address that the request comes from")
			f.StringVar(&e.request, "request", "", "Id of a request in the audit log, in place of a request")
			f.StringArrayVar(&e.logs, "log", nil, "Audit log, repeatable, - for standard input (default: the files of the configuration)")
			json := f.Bool("json", false, "Print JSON")
			cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return finish(c, badUsage{err}) })
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
				defer stop()
				return finish(cmd, e.run(&operation{Context: ctx, cmd: cmd, args: args, json: *json}))
			}
		},
	}
}

func (e *explaining) run(o *operation) error {
	if e.request != "" || o.cmd.Flags().Changed("request") {
		return e.runRecorded(o)
	}
	if len(e.logs) > 0 {
		return usagef("--log needs --request beside it")
	}
	a, err := e.asked(o)
	if err != nil {
		return err
	}
	body, err := wholeConfig(e.at.config, e.at.adapter)
	if err != nil {
		return err
	}
	return tryOut(body, true, func(d *dryRun) error {
		found, err := explain(o, d, a)
		if err != nil {
			return err
		}
		return o.showExplanation(found)
	})
}

// asked puts together what is asked about.
func (e *explaining) asked(o *operation) (*askedRequest, error) {
	address, err := netip.ParseAddr(e.address)
	if err != nil {
		return nil, usagef("--address needs an address like 192.0.2.7")
	}
	a := &askedRequest{header: e.header, address: address}
	switch len(o.args) {
	case 0:
	case 2:
		a.method, a.url = o.args[0], o.args[1]
	default:
		return nil, usagef("wrong number of arguments: it is explain <method> <url>, or a whole request on standard input")
	}
	for _, line := range e.header {
		if tells(line) {
			o.note("Others can see on a command line what --header holds: use --stdin for credentials.")
			break
		}
	}
	if e.stdin || len(o.args) == 0 {
		return a, a.read(o.cmd.InOrStdin())
	}
	return a, nil
}

// wholeConfig returns a configuration as JSON; there must be one.
func wholeConfig(config, adapter string) ([]byte, error) {
	if adapter != "" && config == "" {
		return nil, usagef("--adapter needs --config beside it")
	}
	body, name, err := readConfig(config)
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, usagef("there is no %s here: name a configuration with --config", defaultConfig)
	}
	return adaptConfig(name, adapter, body)
}

// explanationJSON is an explanation in JSON.
type explanationJSON struct {
	Request explainedJSON `json:"request"`
	Steps   []stepJSON    `json:"steps"`
	Verdict verdictJSON   `json:"verdict"`
}

// explainedJSON is the request; its query is left out.
type explainedJSON struct {
	Method  string `json:"method"`
	Host    string `json:"host"`
	Path    string `json:"path"`
	Address string `json:"address"`
}

type stepJSON struct {
	Stage   string            `json:"stage"`
	Outcome string            `json:"outcome"`
	Text    string            `json:"text"`
	Facts   map[string]string `json:"facts"`
}

type verdictJSON struct {
	Outcome string `json:"outcome"`
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Reason  string `json:"reason"`
	Login   string `json:"login"`
	Subject string `json:"subject"`
}

func (o *operation) showExplanation(e *explanation) error {
	if o.json {
		return o.show(explanationDoc(e))
	}
	w := aligned(o.cmd.OutOrStdout())
	_, _ = fmt.Fprintf(o.cmd.OutOrStdout(), "%s %s%s from %s\n", cell(e.request.Method), visible(e.request.Host), visible(e.path), e.address)
	for _, s := range e.steps {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", s.Stage, s.Outcome, visible(s.Text+inBrackets(s.Facts))) // Flush tells
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(o.cmd.OutOrStdout(), visible(e.sentence()))
	return err
}

func inBrackets(facts []gateway.Fact) string {
	if len(facts) == 0 {
		return ""
	}
	parts := make([]string, len(facts))
	for i, f := range facts {
		parts[i] = f.Name + ": " + f.Value
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// sentence says how the request ends.
func (e *explanation) sentence() string {
	caller := "anonymously"
	if e.decision == nil {
		caller = "unguarded"
	} else if p := e.decision.Principal; p != nil {
		caller = "as " + p.Username + " (" + p.Subject + ")"
	}
	switch e.outcome() {
	case outcomeForwarded:
		return "forwarded " + caller
	case outcomeObserved:
		return "forwarded, since mode observe refuses nothing; it would be refused: " + codeAndReason(e)
	case outcomeRefused:
		return fmt.Sprintf("refused with %d %s: %s", e.answered(), http.StatusText(e.answered()), codeAndReason(e))
	case outcomeLogin:
		return "answered by the login " + e.decision.Login + ", which was not carried out"
	case outcomeAborted:
		return "the connection is closed without an answer"
	}
	return fmt.Sprintf("answered with %d %s by Caddy", e.answered(), http.StatusText(e.answered()))
}

// codeAndReason leaves out the cause, which is for the log of the gateway.
func codeAndReason(e *explanation) string {
	text := e.failure().Code.String()
	if reason := e.failure().Reason; reason != "" {
		text += ", " + string(reason)
	}
	return text
}

func explanationDoc(e *explanation) explanationJSON {
	doc := explanationJSON{
		Request: explainedJSON{e.request.Method, e.request.Host, e.path, e.address.String()},
		Steps:   stepDocs(e.steps),
		Verdict: verdictJSON{Outcome: e.outcome(), Status: e.answered()},
	}
	if d := e.decision; d != nil {
		doc.Verdict.Login = d.Login
		if d.Principal != nil {
			doc.Verdict.Subject = d.Principal.Subject
		}
	}
	if f := e.failure(); f != nil {
		doc.Verdict.Code, doc.Verdict.Reason = f.Code.String(), string(f.Reason)
	}
	return doc
}

func stepDocs(steps []gateway.Step) []stepJSON {
	docs := make([]stepJSON, len(steps))
	for i, s := range steps {
		docs[i] = stepJSON{string(s.Stage), string(s.Outcome), s.Text, factsDoc(s.Facts)}
	}
	return docs
}

func factsDoc(facts []gateway.Fact) map[string]string {
	doc := make(map[string]string, len(facts))
	for _, f := range facts {
		doc[f.Name] = f.Value
	}
	return doc
}
