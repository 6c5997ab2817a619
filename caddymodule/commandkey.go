package caddymodule

import (
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func keyCommand() command {
	return group("key", "Manages API keys", `
Manages API keys. A key is shown once, when it is made, and named by its number
from then on.`,
		keyCreate(), keyList(), keyRotate(), keyRevoke())
}

func keyCreate() verb {
	var (
		n         admin.NewKey
		bits      permissions
		scopes    []string
		expires   end
		addresses prefixes
		fromStdin bool
	)
	return verb{
		use: "create", short: "Makes an API key and shows it once",
		long: `
Makes an API key of an account, of a tenant, of an account within a tenant, or
with --gateway of the gateway as a whole, and shows it. It is not stored and
cannot be shown again. With --import-stdin a key that exists already is read
from standard input in place of a new one; it has at least 16 bytes.`,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&n.Account, "account", "", "Account that the key is of")
			f.StringVar(&n.Tenant, "tenant", "", "Tenant that the key is of, by name or id")
			f.BoolVar(&n.Gateway, "gateway", false, "The key is of the whole gateway")
			f.StringVar(&n.Name, "name", "", "What it is called")
			f.StringVar(&n.Description, "description", "", "What it is for")
			f.Var(&bits, "permissions", "read, write, delete, create (default read)")
			f.StringSliceVar(&scopes, "scopes", nil, "Scopes, joined by commas")
			f.Var(&expires, "expires", "When it ends: a duration like 90d, or RFC 3339 (default: never)")
			f.Var(&addresses, "address", "Address or prefix that it may come from; repeatable (default: all)")
			f.BoolVar(&fromStdin, "import-stdin", false, "Read an existing key from standard input")
		},
		before: func(o *operation) (err error) {
			n.Permissions, n.Scopes, n.Expires = auth.Permission(bits), scopes, time.Time(expires)
			n.Addresses = addresses
			if n.Account == "" && n.Tenant == "" && !n.Gateway {
				return usagef("say whose key it is: --account, --tenant or --gateway")
			}
			if fromStdin {
				n.Secret, err = o.stdinSecret("key")
			}
			return err
		},
		run: func(o *operation) error {
			row, secret, err := o.admin.CreateKey(o, n)
			if err != nil {
				return err
			}
			if fromStdin {
				secret = auth.Secret{} // whoever brought it has it
			}
			return o.showKey(row, secret)
		},
	}
}

func keyList() verb {
	var account, tenant string
	return verb{
		use: "list", short: "Lists the API keys of the realm",
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&account, "account", "", "Only those of this account")
			f.StringVar(&tenant, "tenant", "", "Only those of this tenant")
		},
		run: func(o *operation) error {
			names := o.names()
			return list(o, listing[store.Key]{
				head: []string{"ID", "KEY", "NAME", "ACCOUNT", "TENANT", "PERMISSIONS", "SCOPES", "STATE", "EXPIRES", "LAST USED"},
				doc:  func(row store.Key) (any, error) { return o.keyDoc(names, row) },
				cells: func(row store.Key) ([]string, error) {
					owner, of, err := names.both(row.Account, row.Tenant)
					return []string{
						keyNumber(row), shownKey(row), cell(row.Name), keyOwner(row, owner), cell(of),
						listCell(row.Permissions.Names()), listCell(row.Scopes), o.keyState(row),
						timeCell(row.Expires), timeCell(row.LastUsed),
					}, err
				},
			}, func(yield func(store.Key) error) error { return o.admin.Keys(o, account, tenant, yield) })
		},
	}
}

func keyRotate() verb {
	var (
		id      int64
		overlap lifetime
	)
	return verb{
		use: "rotate <id>", args: 1,
		short: "Makes a new API key in place of one, and shows it once",
		long: `
Makes a new API key with the owner, name, scopes, permissions and end of an old
one. The old one is good for --overlap longer, or ends at once.`,
		flags: func(f *pflag.FlagSet) {
			f.Var(&overlap, "overlap", "How long the old key stays good, e.g. 1h (default: not at all)")
		},
		before: func(o *operation) (err error) { id, err = keyArgument(o.args[0]); return err },
		run: func(o *operation) error {
			row, secret, err := o.admin.RotateKey(o, id, time.Duration(overlap))
			if err != nil {
				return err
			}
			return o.showKey(row, secret)
		},
	}
}

func keyRevoke() verb {
	var id int64
	return verb{
		use: "revoke <id>", args: 1,
		short:  "Withdraws an API key and every token obtained with it",
		before: func(o *operation) (err error) { id, err = keyArgument(o.args[0]); return err },
		run: func(o *operation) error {
			row, err := o.admin.RevokeKey(o, id)
			if err != nil {
				return err
			}
			doc, err := o.keyDoc(o.names(), row)
			if err != nil {
				return err
			}
			return o.tell(doc, "key %d is revoked", row.ID)
		},
	}
}

// keyArgument reads a key's number. What was typed is not repeated: it may be
// the key itself.
func keyArgument(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, usagef("a key is named by its number, as key list shows it")
	}
	return id, nil
}

// keyJSON is an API key in JSON. Key is there once, when it is made.
type keyJSON struct {
	ID          int64       `json:"id"`
	Key         string      `json:"key,omitempty"`
	Realm       string      `json:"realm"`
	Prefix      string      `json:"prefix"`
	LastFour    string      `json:"last_four"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	AccountID   string      `json:"account_id"`
	Account     string      `json:"account"`
	TenantID    string      `json:"tenant_id"`
	Tenant      string      `json:"tenant"`
	Gateway     bool        `json:"gateway"`
	Permissions []string    `json:"permissions"`
	Scopes      []string    `json:"scopes"`
	Addresses   []string    `json:"addresses"`
	State       string      `json:"state"`
	Created     instantJSON `json:"created"`
	Expires     instantJSON `json:"expires"`
	Revoked     instantJSON `json:"revoked"`
	LastUsed    instantJSON `json:"last_used"`
}

func (o *operation) keyDoc(names *ownerNames, row store.Key) (keyJSON, error) {
	owner, of, err := names.both(row.Account, row.Tenant)
	return keyJSON{
		ID: row.ID, Realm: row.Realm, Prefix: row.Prefix, LastFour: row.LastFour,
		Name: row.Name, Description: row.Description,
		AccountID: row.Account, Account: owner, TenantID: row.Tenant, Tenant: of, Gateway: row.Gateway,
		Permissions: given(row.Permissions.Names()), Scopes: given(row.Scopes), Addresses: prefixNames(row.Addresses),
		State: o.keyState(row), Created: instantJSON(row.Created), Expires: instantJSON(row.Expires),
		Revoked: instantJSON(row.Revoked), LastUsed: instantJSON(row.LastUsed),
	}, err
}

// keyState is one word for whether a key counts.
func (o *operation) keyState(row store.Key) string {
	switch {
	case !row.Revoked.IsZero():
		return "revoked"
	case !o.admin.Good(row):
		return "expired"
	}
	return "good"
}

// showKey prints a key that was made, with the secret unless that is empty.
func (o *operation) showKey(row store.Key, secret auth.Secret) error {
	doc, err := o.keyDoc(o.names(), row)
	if err != nil {
		return err
	}
	doc.Key = secret.Reveal()
	lines := []line{
		{"id", keyNumber(row)},
		{"key", shownKey(row)},
		{"name", cell(row.Name)},
		{"account", keyOwner(row, doc.Account)},
		{"tenant", cell(doc.Tenant)},
		{"permissions", listCell(doc.Permissions)},
		{"scopes", listCell(row.Scopes)},
		{"addresses", listCell(doc.Addresses)},
		{"expires", timeCell(row.Expires)},
	}
	if !secret.Empty() {
		lines[1].value = doc.Key
		o.note("The key is shown this once: keep it now.")
	}
	return o.show(doc, lines...)
}

func keyNumber(row store.Key) string { return strconv.FormatInt(row.ID, 10) }

// shownKey is what may be shown of a key.
func shownKey(row store.Key) string { return row.Prefix + "…" + row.LastFour }

func keyOwner(row store.Key, username string) string {
	if row.Gateway {
		return "(gateway)"
	}
	return cell(username)
}
