package lint

// Rules are all that is looked for. The page docs/lint.md says the same.
var Rules = []Rule{
	{
		ID: "GH101", Name: "upstream-beside-guard", Severity: Error, check: upstreamBesideGuard,
		Why:    "An upstream of a guarded site can be reached past the guard, e.g. because the guard stands behind a matcher.",
		Remedy: "Have the guard stand before it, without a matcher or with the same one, and open what should be open with public.",
	},
	{
		ID: "GH102", Name: "upstream-without-guard", Severity: Warning, check: upstreamWithoutGuard,
		Why:    "A site forwards requests to an upstream and nothing asks who sends them.",
		Remedy: "Put gatehouse before it, or another authentication, or keep the site to an address that only you reach.",
	},
	{
		ID: "GH103", Name: "files-beside-guard", Severity: Note, check: filesBesideGuard,
		Why:    "A guarded site serves files to anyone.",
		Remedy: "See that they are meant to be public; else have the guard stand before them.",
	},
	{
		ID: "GH201", Name: "public-everything", Severity: Error, check: publicEverything,
		Why:    "A public rule opens every path: no request needs a credential unless a require is about it.",
		Remedy: "Name the paths that are public, or close the others with a require without paths.",
	},
	{
		ID: "GH202", Name: "public-ending", Severity: Warning, check: publicEnding,
		Why: "A public rule opens every path with some ending. Many upstreams serve a guarded page under such a name too, " +
			"such as /account/x.css.",
		Remedy: "Name the folders in which these files are, such as /assets/*.",
	},
	{
		ID: "GH203", Name: "public-under-require", Severity: Warning, check: publicUnderRequire,
		Why:    "A public path is one that a require is about, and require wins: it is not public at all.",
		Remedy: "Take the path out of public, or narrow the require.",
	},
	{
		ID: "GH204", Name: "require-under-public", Severity: Note, check: requireUnderPublic,
		Why:    "A public rule opens a folder of which a require closes a part again. Whoever changes one has to think of the other.",
		Remedy: "See that all else in the folder is meant to be public; better name what is.",
	},
	{
		ID: "GH205", Name: "public-over-login", Severity: Note, check: publicOverLogin,
		Why:    "A public rule opens the path of a login, which answers by itself: the rule says nothing there.",
		Remedy: "Take the path out of public.",
	},
	{
		ID: "GH301", Name: "query-without-tls", Severity: Error, check: queryWithoutTLS,
		Why: "Credentials in the query of a request without TLS stand in every log and cache on the way; the gateway does " +
			"not start so.",
		Remedy: "Serve the site over https, or say insecure_http where TLS ends in front of this server.",
	},
	{
		ID: "GH302", Name: "insecure-http", Severity: Note, check: insecureHTTP,
		Why:    "insecure_http takes credentials in the query of requests that came without TLS.",
		Remedy: "See that nobody reaches this server but through what ends TLS in front of it, and that its logs hide the query.",
	},
	{
		ID: "GH401", Name: "identity-from-client", Severity: Error, check: identityFromClient,
		Why:    "An identity field for the upstream is filled with what the client sent: anyone can be anyone.",
		Remedy: "Leave it out: the guard sets X-Auth-* by itself, and identity { header … } sets others.",
	},
	{
		ID: "GH402", Name: "identity-by-hand", Severity: Note, check: identityByHand,
		Why:    "An identity field for the upstream is set by hand, over what the guard has set.",
		Remedy: "Set it with identity { header … } inside gatehouse, which removes what clients send under that name.",
	},
	{
		ID: "GH501", Name: "trusted-everybody", Severity: Error, check: trustedEverybody,
		Why: "Every address is a trusted proxy: any client can say where it comes from, past allow-lists, rates and " +
			"counters of failed logins.",
		Remedy: "List the addresses of your own proxies in trusted_proxies and no others.",
	},
	{
		ID: "GH502", Name: "trusted-private", Severity: Note, check: trustedPrivate,
		Why:    "All private addresses are trusted proxies on a server that others can reach: so is every machine of these networks.",
		Remedy: "List the addresses of your own proxies in trusted_proxies.",
	},
	{
		ID: "GH503", Name: "trusted-first-hop", Severity: Warning, check: trustedFirstHop,
		Why: "Of the addresses that trusted proxies tell in X-Forwarded-For, Caddy takes the first. Most proxies add to what the " +
			"client sent: then the client says where it comes from.",
		Remedy: "Say trusted_proxies_strict beside trusted_proxies, unless your proxies replace the field.",
	},
	{
		ID: "GH601", Name: "secret-in-file", Severity: Error, check: secretInFile,
		Why:    "A secret stands in the configuration, and so in its repository, its backups and the answer of /config/.",
		Remedy: "Put it into the environment or a file and write {env.NAME} or {file./path}; then replace it by another one.",
	},
	{
		ID: "GH701", Name: "log-shows-credentials", Severity: Warning, check: logShowsCredentials,
		Why:    "A log would show the credentials of requests to whoever reads it.",
		Remedy: "Give it the format gatehouse.",
	},
	{
		ID: "GH702", Name: "log-credentials", Severity: Note, check: logCredentials,
		Why:    "log_credentials has the access log show the fields that Caddy hides by itself; only its format hides them now.",
		Remedy: "Take log_credentials out.",
	},
	{
		ID: "GH801", Name: "mode-observe", Severity: Warning, check: modeObserve,
		Why:    "mode observe refuses nothing: all requests are forwarded.",
		Remedy: "Take it out once the audit log shows no refusal that you did not mean.",
	},
	{
		ID: "GH802", Name: "debug", Severity: Note, check: debug,
		Why:    "debug tells everyone why a request was refused: whether a token is unknown, expired or revoked.",
		Remedy: "Take it out when the fault is found.",
	},
}
