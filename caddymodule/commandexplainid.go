package caddymodule

import (
	"errors"
	"fmt"
	"strings"
)

// runRecorded explains a request that the audit log names: what it recorded
// then, and what the store says of the credential now.
func (e *explaining) runRecorded(o *operation) error {
	id := strings.ToLower(e.request)
	if err := e.checkRecorded(o, id); err != nil {
		return err
	}
	body, err := wholeConfig(e.at.config, e.at.adapter)
	if err != nil {
		return err
	}
	logs := e.logs
	if len(logs) == 0 {
		if logs, err = auditFiles(body); err != nil {
			return err
		}
	}
	if len(logs) == 0 {
		return usagef("this configuration writes the audit log to no file: name one with --log, or - for standard input")
	}
	h := &hindsight{id: id}
	if h.then, err = recorded(logs, o.cmd.InOrStdin(), id); err != nil {
		return err
	}
	return tryOut(body, true, func(d *dryRun) error {
		x, done, err := d.explainer(o)
		if err != nil {
			return err
		}
		h.recall(o, x)
		return errors.Join(o.showHindsight(h), done())
	})
}

func (e *explaining) checkRecorded(o *operation, id string) error {
	switch {
	case len(o.args) > 0 || e.stdin || len(e.header) > 0:
		return usagef("--request names a request that was: no other can stand beside it")
	case !requestIDForm.MatchString(id):
		return usagef("--request needs the request_id of a line of the audit log, a UUID")
	}
	return nil
}

// hindsightJSON is a hindsight in JSON.
type hindsightJSON struct {
	RequestID string         `json:"request_id"`
	Then      []recordedJSON `json:"then"`
	Now       []stepJSON     `json:"now"`
	// Credential is good, refused or unknown.
	Credential string `json:"credential"`
	Code       string `json:"code"`
	Reason     string `json:"reason"`
}

type recordedJSON struct {
	Time    string            `json:"time"`
	Event   string            `json:"event"`
	Outcome string            `json:"outcome"`
	Text    string            `json:"text"`
	Facts   map[string]string `json:"facts"`
}

// What a credential of a hindsight is worth now. The words are stable.
const (
	credentialGood    = "good"
	credentialRefused = "refused"
	credentialUnknown = "unknown"
)

func (h *hindsight) credential() string {
	switch {
	case !h.known:
		return credentialUnknown
	case h.refused != nil:
		return credentialRefused
	}
	return credentialGood
}

func (o *operation) showHindsight(h *hindsight) error {
	if o.json {
		return o.show(hindsightDoc(h))
	}
	w := aligned(o.cmd.OutOrStdout())
	for _, l := range h.then {
		_, _ = fmt.Fprintf(w, "then\t%s\t%s\t%s\n", visible(l.Event), l.outcome(),
			visible(string(l.Time)+": "+l.text()+inBrackets(l.facts()))) // Flush tells
	}
	for _, s := range h.now {
		_, _ = fmt.Fprintf(w, "now\t%s\t%s\t%s\n", s.Stage, s.Outcome, visible(s.Text+inBrackets(s.Facts)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(o.cmd.OutOrStdout(), visible(h.sentence()))
	return err
}

// sentence sets now against then.
func (h *hindsight) sentence() string {
	last := h.then[len(h.then)-1]
	then := last.outcome()
	if !last.OK {
		then += ", " + last.Code + ", " + last.Reason
	}
	now := "the log names no credential to look up"
	switch h.credential() {
	case credentialGood:
		now = "the credential is good"
	case credentialRefused:
		now = "the credential does not count: " + h.refused.Code.String() + ", " + string(h.refused.Reason)
	}
	return "then: " + then + "; now: " + now
}

func hindsightDoc(h *hindsight) hindsightJSON {
	doc := hindsightJSON{RequestID: h.id, Now: stepDocs(h.now), Credential: h.credential()}
	for _, l := range h.then {
		doc.Then = append(doc.Then, recordedJSON{string(l.Time), l.Event, l.outcome(), l.text(), factsDoc(l.facts())})
	}
	if h.refused != nil {
		doc.Code, doc.Reason = h.refused.Code.String(), string(h.refused.Reason)
	}
	return doc
}
