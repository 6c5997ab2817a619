package caddymodule

import (
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func identifierCommand() command {
	return group("identifier", "Manages access identifiers", `
Manages access identifiers: ways to log an account in without its password. One
is an authentication code, or a name with a pass code. Neither code is ever
shown; an access identifier is named by its id, or by its name.`,
		identifierAdd(), identifierList(), identifierDelete())
}

func identifierAdd() verb {
	var (
		n                   admin.NewIdentifier
		codeStdin, passCode bool
	)
	return verb{
		use: "add", short: "Adds an access identifier to an account",
		long: `
Adds an access identifier to an account: with --code-stdin an authentication
code, which has at least 16 characters, or with --identifier a name, whose pass
code is asked for on a terminal or read with --pass-code-stdin.`,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&n.Account, "account", "", "Account that it logs in (required)")
			f.StringVar(&n.Name, "identifier", "", "Its name")
			f.BoolVar(&codeStdin, "code-stdin", false, "Read the authentication code from standard input")
			f.BoolVar(&passCode, "pass-code-stdin", false, "Read the pass code from standard input")
		},
		before: func(o *operation) (err error) {
			switch {
			case n.Account == "":
				return usagef("--account is missing")
			case codeStdin == (n.Name != "") || codeStdin && passCode:
				return usagef("say which: --code-stdin, or --identifier with --pass-code-stdin")
			case codeStdin:
				n.Code, err = o.stdinSecret("authentication code")
			default:
				n.PassCode, err = o.newSecret(aPassCode, passCode)
			}
			return err
		},
		run: func(o *operation) error {
			row, err := o.admin.AddIdentifier(o, n)
			if err != nil {
				return err
			}
			doc, err := identifierDoc(o.names(), row)
			if err != nil {
				return err
			}
			return o.show(doc, line{"id", cell(row.ID)}, line{"account", cell(doc.Account)},
				line{"identifier", cell(row.Name)}, line{"kind", doc.Kind})
		},
	}
}

func identifierList() verb {
	var account string
	return verb{
		use: "list", short: "Lists access identifiers, never their codes",
		flags: func(f *pflag.FlagSet) { f.StringVar(&account, "account", "", "Only those of this account") },
		run: func(o *operation) error {
			names := o.names()
			return list(o, listing[store.Identifier]{
				head: []string{"ID", "ACCOUNT", "IDENTIFIER", "KIND", "CREATED"},
				doc:  func(row store.Identifier) (any, error) { return identifierDoc(names, row) },
				cells: func(row store.Identifier) ([]string, error) {
					doc, err := identifierDoc(names, row)
					return []string{cell(row.ID), cell(doc.Account), cell(row.Name), doc.Kind, timeCell(row.Created)}, err
				},
			}, func(yield func(store.Identifier) error) error { return o.admin.Identifiers(o, account, yield) })
		},
	}
}

func identifierDelete() verb {
	var sure bool
	return verb{
		use: "delete <id>", args: 1,
		short: "Deletes an access identifier, by its id or name",
		flags: func(f *pflag.FlagSet) { sureFlag(f, &sure) },
		run: func(o *operation) error {
			row, err := o.admin.Identifier(o, o.args[0])
			if err != nil {
				return err
			}
			doc, err := identifierDoc(o.names(), row)
			if err != nil {
				return err
			}
			if err := o.confirm(sure, "Delete the access identifier %s of %s?", cell(row.ID), cell(doc.Account)); err != nil {
				return err
			}
			if err := o.admin.DeleteIdentifier(o, row.ID); err != nil {
				return err
			}
			return o.tell(doc, "identifier %s is deleted", cell(row.ID))
		},
	}
}

// identifierJSON is an access identifier in JSON.
type identifierJSON struct {
	ID         string      `json:"id"`
	Realm      string      `json:"realm"`
	AccountID  string      `json:"account_id"`
	Account    string      `json:"account"`
	Identifier string      `json:"identifier"`
	Kind       string      `json:"kind"`
	Created    instantJSON `json:"created"`
}

func identifierDoc(names *ownerNames, row store.Identifier) (identifierJSON, error) {
	owner, err := names.account(row.Account)
	doc := identifierJSON{
		ID: row.ID, Realm: row.Realm, AccountID: row.Account, Account: owner,
		Identifier: row.Name, Kind: "pass_code", Created: instantJSON(row.Created),
	}
	if row.Name == "" {
		doc.Kind = "code"
	}
	return doc, err
}
