package caddymodule

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func tokenCommand() command {
	return group("token", "Manages tokens", `
Manages the tokens that were issued. A token is shown once, when it is made;
its accessor names it from then on without being it.`,
		tokenCreate(), tokenList(), tokenRevoke(), tokenInspect())
}

func tokenCreate() verb {
	var account, tenant string
	ttl := lifetime(admin.DefaultTTL)
	return verb{
		use: "create", short: "Makes a token for an account and shows it once",
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&account, "account", "", "Account that the token is of (required)")
			f.StringVar(&tenant, "tenant", "", "Tenant that it is good in (default: all of the account's)")
			f.Var(&ttl, "ttl", "How long it lives, e.g. 48h or 7d")
		},
		before: func(*operation) error {
			if account == "" {
				return usagef("--account is missing")
			}
			return nil
		},
		run: func(o *operation) error {
			row, secret, err := o.admin.CreateToken(o, account, tenant, time.Duration(ttl))
			if err != nil {
				return err
			}
			return o.showToken(row, secret)
		},
	}
}

func tokenList() verb {
	var account string
	return verb{
		use: "list", short: "Lists the tokens that are good, newest first",
		flags: func(f *pflag.FlagSet) { f.StringVar(&account, "account", "", "Only those of this account") },
		run: func(o *operation) error {
			names := o.names()
			return list(o, listing[store.Session]{
				head: []string{"ACCESSOR", "ACCOUNT", "TENANT", "DIALECT", "KIND", "ISSUED", "EXPIRES"},
				doc:  func(row store.Session) (any, error) { return o.tokenDoc(names, row) },
				cells: func(row store.Session) ([]string, error) {
					owner, of, err := names.both(row.Subject, row.Tenant)
					return []string{
						cell(row.ID), tokenOwner(row, owner), cell(of), cell(row.Dialect), cell(string(row.Kind)),
						timeCell(row.Issued), timeCell(row.Expires),
					}, err
				},
			}, func(yield func(store.Session) error) error { return o.admin.Tokens(o, account, yield) })
		},
	}
}

// tokenArgument names a token: by its accessor, or by itself on standard input.
type tokenArgument struct {
	fromStdin bool
	token     auth.Secret
}

func (t *tokenArgument) flags(f *pflag.FlagSet) {
	f.BoolVar(&t.fromStdin, "token-stdin", false, "Read the token itself from standard input")
}

// read checks the arguments. What was typed is not repeated: it may be a token.
func (t *tokenArgument) read(o *operation) (err error) {
	if t.fromStdin != (len(o.args) == 0) {
		return usagef("say which token: its accessor, or --token-stdin with the token on standard input")
	}
	if t.fromStdin {
		t.token, err = o.stdinSecret("token")
		return err
	}
	if strings.HasPrefix(o.args[0], token.OpaquePrefix) || strings.Count(o.args[0], ".") == 2 {
		return usagef("this is a token, which others can see on a command line: " +
			"name it by its accessor, or use --token-stdin")
	}
	return nil
}

func (t *tokenArgument) find(o *operation) (store.Session, error) {
	if t.fromStdin {
		return o.admin.TokenOf(o, t.token)
	}
	return o.admin.Token(o, o.args[0])
}

func tokenInspect() verb {
	var which tokenArgument
	return verb{
		use: "inspect [<accessor>]", args: optional,
		short:  "Shows what is known of a token, never the token",
		flags:  which.flags,
		before: which.read,
		run: func(o *operation) error {
			row, err := which.find(o)
			if err != nil {
				return err
			}
			return o.showToken(row, auth.Secret{})
		},
	}
}

func tokenRevoke() verb {
	var (
		which         tokenArgument
		account       string
		all, everyone bool
	)
	return verb{
		use: "revoke [<accessor>]", args: optional,
		short: "Withdraws a token, or all tokens of an account or of the realm",
		flags: func(f *pflag.FlagSet) {
			which.flags(f)
			f.StringVar(&account, "account", "", "With --all: the account whose tokens are meant")
			f.BoolVar(&all, "all", false, "All tokens of --account")
			f.BoolVar(&everyone, "everyone", false, "All tokens of the realm, e.g. after a store was restored")
		},
		before: func(o *operation) error {
			if everyone && (all || account != "" || which.fromStdin || len(o.args) > 0) {
				return usagef("all tokens of the realm are --everyone, and nothing else beside it")
			}
			if everyone {
				return nil
			}
			if all != (account != "") || all && (which.fromStdin || len(o.args) > 0) {
				return usagef("all tokens of an account are --account and --all, and nothing else beside them")
			}
			if all {
				return nil
			}
			return which.read(o)
		},
		run: func(o *operation) error {
			switch {
			case everyone:
				return o.revokeAllTokens()
			case all:
				return o.revokeTokens(account)
			}
			return o.revokeToken(&which)
		},
	}
}

func (o *operation) revokeTokens(account string) error {
	n, err := o.admin.RevokeTokens(o, account)
	if err != nil {
		return err
	}
	return o.tell(revokedJSON{n}, "tokens revoked: %d", n)
}

func (o *operation) revokeAllTokens() error {
	tally := o.tally("revoking")
	n, err := o.admin.RevokeAllTokens(o, tally.count)
	tally.end()
	if err != nil {
		return err
	}
	return o.tell(revokedJSON{n}, "tokens revoked: %d", n)
}

func (o *operation) revokeToken(which *tokenArgument) error {
	row, err := which.find(o)
	if err != nil {
		return err
	}
	if row, err = o.admin.RevokeToken(o, row.ID); err != nil {
		return err
	}
	return o.tell(revokedJSON{1}, "token %s is revoked", cell(row.ID))
}

// revokedJSON says how many tokens were revoked.
type revokedJSON struct {
	Revoked int `json:"revoked"`
}

// tokenJSON is a token in JSON. Token is there once, when it is made.
type tokenJSON struct {
	ID        string      `json:"id"`
	Token     string      `json:"token,omitempty"`
	Realm     string      `json:"realm"`
	Active    bool        `json:"active"`
	Dialect   string      `json:"dialect"`
	Kind      string      `json:"kind"`
	AccountID string      `json:"account_id"`
	Account   string      `json:"account"`
	KeyID     int64       `json:"key_id"`
	TenantID  string      `json:"tenant_id"`
	Tenant    string      `json:"tenant"`
	UnitID    string      `json:"unit_id"`
	Scopes    []string    `json:"scopes"`
	Issued    instantJSON `json:"issued"`
	Expires   instantJSON `json:"expires"`
	Idle      int64       `json:"idle_seconds"`
}

func (o *operation) tokenDoc(names *ownerNames, row store.Session) (tokenJSON, error) {
	owner, of, err := names.both(row.Subject, row.Tenant)
	return tokenJSON{
		ID: row.ID, Realm: row.Realm, Active: o.admin.Live(row), Dialect: row.Dialect, Kind: string(row.Kind),
		AccountID: row.Subject, Account: owner, KeyID: row.KeyID,
		TenantID: row.Tenant, Tenant: of, UnitID: row.Unit, Scopes: given(row.Scopes),
		Issued: instantJSON(row.Issued), Expires: instantJSON(row.Expires), Idle: int64(row.Idle / time.Second),
	}, err
}

// showToken prints a token's record, with the token unless that is empty.
func (o *operation) showToken(row store.Session, secret auth.Secret) error {
	doc, err := o.tokenDoc(o.names(), row)
	if err != nil {
		return err
	}
	doc.Token = secret.Reveal()
	lines := []line{
		{"accessor", cell(row.ID)},
		{"active", boolCell(doc.Active)},
		{"account", tokenOwner(row, doc.Account)},
		{"tenant", cell(doc.Tenant)},
		{"unit", cell(row.Unit)},
		{"dialect", cell(row.Dialect)},
		{"kind", cell(doc.Kind)},
		{"scopes", listCell(row.Scopes)},
		{"issued", timeCell(row.Issued)},
		{"expires", timeCell(row.Expires)},
	}
	if row.Idle > 0 {
		lines = append(lines, line{"idle", row.Idle.String()})
	}
	if row.KeyID != 0 {
		lines = append(lines, line{"key", fmt.Sprint(row.KeyID)})
	}
	if !secret.Empty() {
		lines = append([]line{{"token", doc.Token}}, lines...)
		o.note("The token is shown this once: keep it now.")
	}
	return o.show(doc, lines...)
}

// tokenOwner is who a token speaks for: an account, or a key of none.
func tokenOwner(row store.Session, username string) string {
	if username == "" {
		return cell(row.Subject)
	}
	return cell(username)
}
