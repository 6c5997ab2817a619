// Package authn turns a presented credential into a verdict: through a cache
// of positive verdicts, else by verifying a signature and looking up rows.
//
// The cache is kept honest by the store's change feed. A verdict carries the
// stamps of all that it rests on (session, account, key, tenants); a change
// moves a stamp, and every verdict that carries it is void from that instant,
// at the cost of one addition per change and one comparison per stamp and hit.
// A lookup that raced with a change is not cached, and callers that come after
// the change do not join it. A store may have two feeds, one of them of its
// sessions: each that falls silent ends the trust in all verdicts after
// max_staleness. Past that a verdict counts only where the store cannot be asked,
// and for no longer than the grace.
//
// A JWT of an outside issuer rests on no row but on the issuer's key: its
// verdict is void when that key is withdrawn, and is one of the site that
// trusts the issuer. See [Resolver.ResolveTrusting].
//
// A token with an idle time lives while it is used. Its last use is written to
// the store now and then and not at every request: see [End] and
// [IdlePrecision].
//
// What a site allows is not decided here: a verdict says who the caller is.
package authn
