package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// The functions below tell an [Explainer] what the guard does, at the place
// where it does it. A guard that serves has none: each call is then one
// comparison with nil, and nothing is built.

// say tells a step; the caller knows that somebody listens.
func (s *Site) say(stage Stage, o StepOutcome, text string, facts ...Fact) {
	s.trace.Say(Step{Stage: stage, Outcome: o, Text: text, Facts: facts})
}

func (s *Site) tracePath(r *http.Request, at reading, err error) {
	switch {
	case s.trace == nil:
	case err != nil:
		s.say(PathStage, StepRefused, reasonText(auth.AsError(err)))
	case at.others == nil:
		s.say(PathStage, StepHolds, "the path reads in one way", Fact{"path", s.hideTokens(at.path)}, Fact{"method", r.Method})
	default:
		var others facts
		for _, other := range at.others {
			others.add("or", s.hideTokens(other))
		}
		s.say(PathStage, StepHolds, "the path reads in several ways, as paths allows: it is public if all of them are, "+
			"and each require that is about one of them must hold",
			append(facts{{"path", s.hideTokens(at.path)}, {"method", r.Method}}, others...)...)
	}
}

func (s *Site) hideTokens(path string) string { return dialect.HideTokens(path, s.TokenPaths()...) }

func (s *Site) traceLogin(l *login) {
	if s.trace == nil || len(s.logins) == 0 {
		return
	}
	if l == nil {
		s.say(LoginStage, StepSkipped, "no login of this site answers this path")
		return
	}
	o, text := StepAnswers, "this path is a call of the login itself, which decides alone"
	if s.cfg.Observe {
		o, text = StepSkipped, "this path is a call of the login itself, which mode observe leaves to the upstream"
	}
	s.say(LoginStage, o, text, Fact{"dialect", l.kind.Name}, Fact{"base", l.base})
}

func (s *Site) traceMethod(r *http.Request) {
	if s.trace != nil {
		s.say(MethodStage, StepRefused, "the method is not forwarded: methods names more", Fact{"method", r.Method})
	}
}

// tracePublic is told the rule that opens the request, -1 for none.
func (s *Site) tracePublic(rule int) {
	switch {
	case s.trace == nil || len(s.public) == 0:
	case rule < 0:
		s.say(PublicStage, StepSkipped, "no public rule opens this request: it needs a credential")
	default:
		s.say(PublicStage, StepHolds, "a public rule opens this request: it needs no credential", ruleFacts(rule, s.cfg.Public[rule])...)
	}
}

func (s *Site) tracePreflight() {
	if s.trace != nil {
		s.say(PreflightStage, StepAnswers, "a CORS preflight of an origin that a login lists is answered here")
	}
}

func (s *Site) traceRate() {
	if s.trace != nil && s.cfg.Rate != nil {
		s.say(RateStage, StepSkipped, "requests are limited, which is not looked at: a running gateway counts them in its memory",
			Fact{"key", string(s.cfg.Rate.By)}, Fact{"events", strconv.Itoa(s.cfg.Rate.Limit.Events)},
			Fact{"window", s.cfg.Rate.Limit.Window.String()})
	}
}

func (s *Site) tracePresented(all *bearer.Presented, err error) {
	switch {
	case s.trace == nil:
	case err != nil:
		s.say(CredentialStage, StepRefused, reasonText(auth.AsError(err)), acceptFact(s.specs))
	case all.Len() == 0:
		s.say(CredentialStage, StepSkipped, "none of the credentials that count here is presented", acceptFact(s.specs))
	default:
		kinds := make([]string, all.Len())
		for i := range kinds {
			kinds[i] = string(all.At(i).Kind)
		}
		s.say(CredentialStage, StepHolds, "presented", Fact{"presented", strings.Join(kinds, ", ")}, acceptFact(s.specs))
	}
}

// acceptFact names what counts, in order.
func acceptFact(specs []bearer.Spec) Fact {
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = strings.TrimSpace(string(spec.Kind) + " " + spec.Name)
	}
	return Fact{"accepted", strings.Join(names, ", ")}
}

func (s *Site) traceCache() {
	if s.trace != nil {
		s.say(CacheStage, StepSkipped, "no cache is asked: a running gateway keeps good verdicts, and drops those that a change touches")
	}
}

func (s *Site) traceCleartext() {
	if s.trace != nil {
		s.say(CredentialStage, StepRefused, reasonText(&auth.Error{Code: auth.Malformed, Reason: auth.ReasonCleartext}))
	}
}

// traceResolved is told what a credential was worth.
func (s *Site) traceResolved(got presented, err error) {
	if s.trace == nil {
		return
	}
	kind := Fact{"credential", string(got.credential.Kind)}
	if err != nil {
		s.say(VerdictStage, StepRefused, reasonText(auth.AsError(err)), append([]Fact{kind}, errorFacts(auth.AsError(err))...)...)
		return
	}
	s.say(VerdictStage, StepHolds, "the credential is good", append([]Fact{kind}, principalFacts(got.principal())...)...)
}

func (s *Site) traceCombined(got presented, err error) {
	switch {
	case s.trace == nil:
	case err == nil:
		s.say(ChoiceStage, StepHolds, "of several credentials of one caller the first good one counts", Fact{"credential", string(got.credential.Kind)})
	case auth.AsError(err).Reason == auth.ReasonAmbiguous:
		s.say(ChoiceStage, StepRefused, reasonText(auth.AsError(err)))
	default:
		s.say(ChoiceStage, StepRefused, "of several credentials one is bad, which is the answer", Fact{"credential", string(got.credential.Kind)})
	}
}

func (s *Site) traceIgnored() {
	if s.trace != nil {
		s.say(PublicStage, StepHolds, "without a good credential the request goes on as anonymous, since it needs none")
	}
}

// traceRequire is told what became of a requirement. about is false for one
// that selects other requests.
func (s *Site) traceRequire(rule int, about bool, err error) {
	if s.trace == nil {
		return
	}
	q := s.cfg.Require[rule]
	facts := append(ruleFacts(rule, q.Rule), requirementFacts(q)...)
	switch {
	case err != nil:
		s.say(RequireStage, StepRefused, reasonText(auth.AsError(err)), append(facts, errorFacts(auth.AsError(err))...)...)
	case !about:
		s.say(RequireStage, StepSkipped, "it is about other requests", facts...)
	default:
		s.say(RequireStage, StepHolds, "it holds", facts...)
	}
}

// traceTold is told that the request is ready for the upstream.
func (s *Site) traceTold(got presented) {
	if s.trace == nil {
		return
	}
	text := "no caller is known: the upstream is told of none"
	if got.verdict != nil {
		text = "the upstream is told who calls"
	}
	facts := []Fact{{"credentials", "taken out"}}
	if s.cfg.KeepCredentials {
		facts = []Fact{{"credentials", "kept, as far as they are good"}}
	}
	if len(s.names) > 0 {
		facts = append(facts, Fact{"fields", strings.Join(s.names, ", ")})
	}
	if s.assertion != nil && got.verdict != nil {
		facts = append(facts, Fact{"assertion", s.assertion.Field})
	}
	s.say(IdentityStage, StepHolds, text, facts...)
	s.trace.end(got.outcome(), nil, got)
}

// traceRefused is told of a refusal that is answered, or with observed one that
// is only logged.
func (s *Site) traceRefused(e *auth.Error, got presented, observed bool) {
	if s.trace == nil {
		return
	}
	o, text := Refused, "the guard refuses the request"
	if observed {
		o, text = Observed, "the guard would refuse the request; mode observe forwards it"
	}
	s.say(AnswerStage, StepRefused, text, errorFacts(e)...)
	s.trace.end(o, e, got)
}
