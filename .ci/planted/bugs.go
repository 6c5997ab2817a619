package main

// bugs are mistakes that gateways have made, as one would make them here.
var bugs = []bug{
	{
		"synchronous-normal",
		[]edit{{"internal/store/sqlstore/sqlite.go", `"synchronous(FULL)"`, `"synchronous(NORMAL)"`}},
		"./internal/store/sqlstore", "TestEveryCommitIsSynced",
	},
	{
		"answer-before-commit",
		[]edit{{
			"internal/store/sqlstore/committer.go", "\tselect {\n\tcase err := <-w.done:\n", "\tselect {\n\tdefault:\n\t\treturn nil\n\tcase err := <-w.done:\n",
		}},
		"./internal/store/sqlstore", "TestWhatWasAnsweredIsThereAfterACrash",
	},
	{
		"cache-without-invalidation",
		[]edit{{"internal/authn/stamps.go", "\ts.slots[s.slot(t)].Add(1)\n", ""}},
		"./internal/authn", "TestAChangeVoidsAVerdictBeforeItIsAcknowledged",
	},
	{
		"invalidation-by-what-was-presented",
		[]edit{{"internal/authn/lookup.go", "l.on(store.SessionChanged, s.ID)", "l.on(store.SessionChanged, s.Digest.String())"}},
		"./internal/authn", "TestAChangeVoidsAVerdictBeforeItIsAcknowledged",
	},
	{
		"refresh-without-a-condition",
		[]edit{{"internal/session/refresh.go", "s.Store.Sessions.ExchangeSession(ctx, old, rows...)", "s.branch(ctx, old, rows)"}},
		"./internal/session", "TestOfFiftyUsesOfARefreshTokenOneWins",
	},
	{
		"early-return-for-an-unknown-user",
		[]edit{{
			"internal/session/login.go", "\t\tif err := s.Hasher.Decoy(ctx, password); err != nil {\n\t\t\treturn err\n\t\t}\n", "",
		}},
		"./internal/session", "TestARefusedLoginIsOneCodeAndOneHashWhateverTheCause",
	},
	{
		"comparing-byte-by-byte",
		[]edit{
			{
				"internal/auth/secret.go", "{ return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }",
				"{\n\tfor i := range d {\n\t\tif d[i] != other[i] {\n\t\t\treturn false\n\t\t}\n\t\tfor began := time.Now(); time.Since(began) < time.Microsecond; {\n\t\t}\n\t}\n\treturn true\n}",
			},
			{"internal/auth/secret.go", "\t\"fmt\"\n", "\t\"fmt\"\n\t\"time\"\n"},
		},
		"./internal/auth", "TestComparingTakesAsLongWhereverTwoDiffer",
	},
	{
		"lockout-by-spelling-of-an-account",
		[]edit{{"internal/session/attempt.go", `c.ID, Known: true}`, `c.name, Known: true}`}},
		"./internal/session", "TestAllSpellingsAndAllNamesOfAnAccountShareACounter",
	},
	{
		"lockout-by-spelling-of-nobody",
		[]edit{{"internal/session/attempt.go", `s.cfg.Realm + " " + folded}`, `s.cfg.Realm + " " + c.name + folded[:0]}`}},
		"./internal/session", "TestAllSpellingsOfANameOfNobodyShareACounter",
	},
	{
		"identity-before-the-hop-by-hop-pass",
		[]edit{{
			"internal/forward/strip.go", "\tcase sameName(name, \"connection\"), sameName(name, \"trailer\"):\n\t\tdropTokens(h, name, f.protected.has)\n", "",
		}},
		"./internal/forward", "TestStripHeader",
	},
	{
		"decided-on-the-path-and-forwarded-the-raw-one",
		[]edit{{"internal/policy/path.go", `case u.RawPath != "" && !decodesTo(u.RawPath, path):`, `case false:`}},
		"./internal/policy", "TestReadPathRefusesPartsThatDisagree",
	},
	{
		"no-look-behind-the-end-of-a-body",
		[]edit{{
			"internal/dialect/jsonscan.go", "\tif s.pos != len(s.in) {\n\t\treturn value{}, s.fail(\"more after the end\")\n\t}\n", "",
		}},
		"./internal/dialect", "TestParseObjectRefuses",
	},
	{
		"forwarded-when-the-store-fails",
		[]edit{{"internal/gateway/decide.go", "if err != nil && (!public || !isCallers(err)) {", "if err != nil && !public && isCallers(err) {"}},
		"./internal/gateway", "TestAStoreOutOfReachIsNotHiddenByAPublicPath",
	},
	{
		"a-token-without-an-end",
		[]edit{{
			"internal/issuer/claims.go", "\tif !ok {\n\t\treturn time.Time{}, refused(auth.ReasonForm)\n\t}\n\tif isAnother",
			"\tif !ok {\n\t\texpires = now.Add(time.Hour)\n\t}\n\tif isAnother",
		}},
		"./internal/issuer", "TestJ14Dates",
	},
	{
		"a-refusal-that-outlives-its-reason",
		[]edit{
			{"internal/authn/resolver.go", "\tr.misses.Add(1)\n", "\tr.misses.Add(1)\n\tif _, bad := refusedBefore.Load(k); bad {\n\t\treturn nil, refused(auth.ReasonUnknown)\n\t}\n"},
			{
				"internal/authn/resolver.go", "\tv, err := r.fill(ctx, question{trust, realm, c}, k)\n\tif err != nil {\n",
				"\tv, err := r.fill(ctx, question{trust, realm, c}, k)\n\tif err != nil {\n\t\trefusedBefore.Store(k, true)\n",
			},
			{"internal/authn/resolver.go", "// question is what a lookup is to answer.\n", "var refusedBefore sync.Map\n\n// question is what a lookup is to answer.\n"},
		},
		"./internal/authn", "TestACredentialThatWasRefusedIsGoodFromItsCreationOn",
	},
}
