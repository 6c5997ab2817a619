package caddymodule

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// hindsight is what became of a request, as far as the audit log recorded it,
// and what its credentials are worth now.
type hindsight struct {
	id   string
	then []auditLine
	now  []gateway.Step
	// refused is why the last of the credentials does not count now, nil for
	// one that does; known is false where the log names none.
	refused *auth.Error
	known   bool
}

// recorded returns the lines about a request in some logs.
func recorded(logs []string, in io.Reader, id string) (found []auditLine, err error) {
	for _, name := range logs {
		log, done, err := openLog(name, in)
		if err != nil {
			return nil, err
		}
		lines, err := auditLines(log, id)
		if err != nil {
			_ = done()
			return nil, fmt.Errorf("the log %s cannot be read: %w", name, err)
		}
		if err := done(); err != nil {
			return nil, err
		}
		found = append(found, lines...)
	}
	if len(found) == 0 {
		return nil, auth.Fail(auth.NotFound, "", fmt.Errorf(
			"no line about this request is in %s: it passed, or the log was rolled (name the older files with --log), or is not JSON",
			strings.Join(logs, ", ")))
	}
	return found, nil
}

// recall asks the store about every credential that the lines name.
func (h *hindsight) recall(ctx context.Context, x *gateway.Explainer) {
	type named struct {
		realm   string
		genuine authn.Genuine
	}
	var all []named
	for _, l := range h.then {
		n := named{l.Realm, authn.Genuine{Subject: l.Subject, TokenID: l.TokenID, KeyID: l.KeyID}}
		if n.genuine != (authn.Genuine{}) && !isOutside(l.Subject) && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	for _, n := range all {
		h.known, h.refused = true, x.Recall(ctx, n.realm, n.genuine)
	}
	if len(all) == 0 {
		x.Say(gateway.Step{
			Stage: gateway.StoreStage, Outcome: gateway.StepSkipped,
			Text: "the log names no row of the store: nothing that was issued here was presented, or it could not be told",
		})
	}
	h.now = x.Steps()
}

// isOutside reports whether a subject is of an outside issuer: the store has
// no row of it.
func isOutside(subject string) bool { return strings.Contains(subject, "|") }

// facts are what a line holds beside what it is about.
func (l auditLine) facts() []gateway.Fact {
	var all []gateway.Fact
	for _, f := range []gateway.Fact{
		{Name: "code", Value: l.Code},
		{Name: "reason", Value: l.Reason},
		{Name: "rule", Value: numberFact(int64(l.Rule))},
		{Name: "realm", Value: l.Realm},
		{Name: "dialect", Value: l.Dialect},
		{Name: "credential", Value: l.Credential},
		{Name: "subject", Value: l.Subject},
		{Name: "token_id", Value: l.TokenID},
		{Name: "key_id", Value: numberFact(l.KeyID)},
		{Name: "method", Value: l.Method},
		{Name: "host", Value: l.Host},
		{Name: "path", Value: l.Path},
		{Name: "address", Value: l.Address},
	} {
		if f.Value != "" {
			all = append(all, f)
		}
	}
	return all
}

func numberFact(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// text says for people what a line means.
func (l auditLine) text() string {
	if l.OK {
		return "it succeeded"
	}
	return gateway.Meaning(l.Code, auth.Reason(l.Reason))
}

func (l auditLine) outcome() string {
	switch {
	case l.OK:
		return string(gateway.StepHolds)
	case l.Observed:
		return outcomeObserved
	}
	return outcomeRefused
}
