package gateway

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Explainer has guards tell step by step how they decide on a request. The
// guards decide with the code that serves; an explainer only listens, gives
// them a store that cannot be changed, and keeps them from logging anybody in.
// No step holds a secret. It is for one request at a time.
type Explainer struct {
	rows    store.Store
	signers *token.Signers
	issuers *issuer.Pool
	now     func() time.Time
	steps   []Step
	verdict *Decision
}

// Decision is how a guard ended a request.
type Decision struct {
	Outcome Outcome
	// Err is why, for a refusal.
	Err *auth.Error
	// Login is the dialect whose own call the request is; then nothing was
	// decided.
	Login string
	// Principal is nil for an anonymous caller.
	Principal *auth.Principal
}

// Step is one step of a decision.
type Step struct {
	Stage   Stage
	Outcome StepOutcome
	// Text says in a few words what was found, for people.
	Text string
	// Facts are what it was found by, in a fixed order.
	Facts []Fact
}

// Fact is a named value of a step.
type Fact struct{ Name, Value string }

// Stage names what a step is about. The names are stable.
type Stage string

// The stages of a guard, in the order in which they come.
const (
	PathStage       Stage = "path"       // whether the path reads in one way
	LoginStage      Stage = "login"      // whether it is a call of a login
	MethodStage     Stage = "method"     // a method that is not forwarded
	PublicStage     Stage = "public"     // whether a credential is needed
	RateStage       Stage = "rate"       // a limit on requests
	PreflightStage  Stage = "preflight"  // a CORS preflight
	CredentialStage Stage = "credential" // what was presented
	CacheStage      Stage = "cache"      // the cache of verdicts
	StoreStage      Stage = "store"      // a row that was looked up
	VerdictStage    Stage = "verdict"    // what a credential is worth
	ChoiceStage     Stage = "choice"     // which of several credentials counts
	RequireStage    Stage = "require"    // a requirement
	IdentityStage   Stage = "identity"   // what the upstream is told
	AnswerStage     Stage = "answer"     // a refusal
)

// StepOutcome is what came of a step. The words are stable.
type StepOutcome string

// The outcomes of a step.
const (
	StepHolds   StepOutcome = "ok"      // found, holds, or is good
	StepSkipped StepOutcome = "skipped" // not about this request, or not looked at
	StepRefused StepOutcome = "refused" // refuses the request, or a credential of it
	StepAnswers StepOutcome = "answers" // answers the request
)

// NewExplainer returns an explainer on a store, which it only reads. It asks
// outside issuers for their keys as the guard does, and wants its Close.
func NewExplainer(c RuntimeConfig) *Explainer {
	x := &Explainer{now: c.Now}
	x.rows = x.watched(c.Store)
	x.signers = token.NewSigners(c.Store.SigningKeys, c.Ring, c.Now)
	x.issuers = issuer.NewPool(c.Now, c.Client)
	return x
}

// Close ends what is asked of outside issuers, and waits for it. It leaves the
// store to its owner.
func (x *Explainer) Close() { x.issuers.Close() }

// Bind gives a guard what it needs to decide and has it tell this explainer of
// its steps. It serves nobody any more: nothing is counted, audited or answered
// by a login. Call it in place of [Site.Bind].
func (x *Explainer) Bind(s *Site) {
	s.cfg.Hooks.Audit, s.cfg.Hooks.Count = nil, nil
	s.resolver = x.resolver()
	s.rates = throttle.NewRate(x.now, 0)
	s.trace = x
	s.ready.Store(true)
}

// Recall tells what a credential that was presented once is worth now, by what
// an audit log names of it. It returns why it does not count, nil where it does.
// Addresses are not looked at: who comes from where is a matter of a request.
func (x *Explainer) Recall(ctx context.Context, realm string, g authn.Genuine) *auth.Error {
	v, err := x.resolver().Recall(ctx, realm, g)
	if err != nil {
		e := auth.AsError(err)
		x.Say(Step{Stage: VerdictStage, Outcome: StepRefused, Text: reasonText(e), Facts: errorFacts(e)})
		return e
	}
	x.Say(Step{Stage: VerdictStage, Outcome: StepHolds, Text: "the credential is good", Facts: principalFacts(v.Principal)})
	return nil
}

// resolver looks up rows as the one that serves, and keeps nothing.
func (x *Explainer) resolver() *authn.Resolver {
	return authn.New(authn.Config{Store: x.rows, Signers: x.signers, Issuers: x.issuers, Now: x.now})
}

// Say adds a step, of whoever has one to tell.
func (x *Explainer) Say(s Step) { x.steps = append(x.steps, s) }

// Steps returns the steps so far.
func (x *Explainer) Steps() []Step { return x.steps }

// Decision returns how the last guard that was reached ended the request; nil
// where none was.
func (x *Explainer) Decision() *Decision { return x.verdict }

func (x *Explainer) end(o Outcome, e *auth.Error, got presented) {
	x.verdict = &Decision{Outcome: o, Err: e, Principal: got.principal()}
}

// leaveTo says that a login would answer, and that nobody is logged in.
func (x *Explainer) leaveTo(l *login) { x.verdict = &Decision{Login: l.kind.Name} }
