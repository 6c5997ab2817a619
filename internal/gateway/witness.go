package gateway

import (
	"context"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// watched returns the store as the resolver sees it: each row that it looks up
// is a step, and the uses that it would note are not.
func (x *Explainer) watched(rows store.Store) store.Store {
	rows.Sessions = watchedSessions{rows.Sessions, x}
	rows.Keys = watchedKeys{rows.Keys, x}
	rows.Accounts = watchedAccounts{rows.Accounts, x}
	rows.Memberships = watchedMemberships{rows.Memberships, x}
	rows.Tenants = watchedTenants{rows.Tenants, x}
	return rows
}

// sayRow tells what came of looking up a row. What it was looked up by is not
// told: it may be the credential.
func (x *Explainer) sayRow(what string, err error, found facts) {
	s := Step{Stage: StoreStage, Outcome: StepHolds, Text: "found " + what, Facts: found}
	switch {
	case auth.IsNotFound(err):
		s = Step{Stage: StoreStage, Outcome: StepSkipped, Text: "found no row for " + what}
	case err != nil:
		s = Step{Stage: StoreStage, Outcome: StepRefused, Text: "could not look up " + what, Facts: errorFacts(auth.AsError(err))}
	}
	x.Say(s)
}

type watchedSessions struct {
	store.Sessions
	x *Explainer
}

func (w watchedSessions) Session(ctx context.Context, realm string, by store.SessionRef) (store.Session, error) {
	s, err := w.Sessions.Session(ctx, realm, by)
	what := "the token, by its digest"
	if by.ID != "" {
		what = "the token, by its id"
	}
	var f facts
	f.add("token_id", s.ID)
	f.add("kind", string(s.Kind))
	f.add("dialect", s.Dialect)
	f.add("subject", s.Subject)
	f.number("key_id", s.KeyID)
	f.add("tenant", s.Tenant)
	f.add("unit", s.Unit)
	f.list("scopes", s.Scopes)
	f.time("issued", s.Issued)
	f.time("expires", s.Expires)
	if s.Idle > 0 {
		f.add("idle", s.Idle.String())
		f.time("used", s.Updated)
	}
	f.time("retired", s.Retired)
	w.x.sayRow(what, err, f)
	return s, err
}

// TouchSession does nothing: a request that is explained is no use.
func (watchedSessions) TouchSession(context.Context, string, string, store.Time) error { return nil }

type watchedKeys struct {
	store.Keys
	x *Explainer
}

func (w watchedKeys) KeyByDigest(ctx context.Context, realm string, d auth.Digest) (store.Key, error) {
	k, err := w.Keys.KeyByDigest(ctx, realm, d)
	w.say("the API key, by its digest", k, err)
	return k, err
}

func (w watchedKeys) Key(ctx context.Context, realm string, id int64) (store.Key, error) {
	k, err := w.Keys.Key(ctx, realm, id)
	w.say("the API key, by its number", k, err)
	return k, err
}

func (w watchedKeys) say(what string, k store.Key, err error) {
	var f facts
	f.number("key_id", k.ID)
	f.add("name", k.Name)
	f.add("account", k.Account)
	f.add("tenant", k.Tenant)
	if k.Gateway {
		f.add("gateway", strconv.FormatBool(k.Gateway))
	}
	f.list("permissions", k.Permissions.Names())
	f.list("scopes", k.Scopes)
	f.time("created", k.Created)
	f.time("expires", k.Expires)
	f.time("revoked", k.Revoked)
	f.prefixes("addresses", k.Addresses)
	w.x.sayRow(what, err, f)
}

// TouchKey does nothing: a request that is explained is no use.
func (watchedKeys) TouchKey(context.Context, string, int64, store.Time) error { return nil }

type watchedAccounts struct {
	store.Accounts
	x *Explainer
}

func (w watchedAccounts) Account(ctx context.Context, realm, ref string) (store.Account, error) {
	a, err := w.Accounts.Account(ctx, realm, ref)
	var f facts
	f.add("id", a.ID)
	f.add("username", a.Username)
	f.list("roles", a.Roles)
	f.add("disabled", strconv.FormatBool(a.Disabled))
	f.prefixes("addresses", a.Addresses)
	w.x.sayRow("the account", err, f)
	return a, err
}

type watchedMemberships struct {
	store.Memberships
	x *Explainer
}

func (w watchedMemberships) MembershipsOf(ctx context.Context, realm, account string) ([]store.Membership, error) {
	all, err := w.Memberships.MembershipsOf(ctx, realm, account)
	var f facts
	tenants := make([]string, len(all))
	for i, m := range all {
		tenants[i] = m.Tenant
	}
	f.add("number", strconv.Itoa(len(all)))
	f.list("tenants", tenants)
	w.x.sayRow("the memberships of the account", err, f)
	return all, err
}

type watchedTenants struct {
	store.Tenants
	x *Explainer
}

func (w watchedTenants) Tenant(ctx context.Context, realm, ref string) (store.Tenant, error) {
	t, err := w.Tenants.Tenant(ctx, realm, ref)
	var f facts
	f.add("id", t.ID)
	f.add("name", t.Name)
	w.x.sayRow("the tenant", err, f)
	return t, err
}
