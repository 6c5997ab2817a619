package caddymodule

import (
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func accountCommand() command {
	return group("account", "Manages accounts", `
Manages those who can log in. An account is named by its username, email or id.`,
		accountAdd(), accountList(), accountShow(), accountPasswd(),
		accountSwitch("disable", true), accountSwitch("enable", false), accountDelete(),
		accountImport(), accountRoles(), accountJoin(), accountLeave())
}

func accountAdd() verb {
	var (
		n         admin.NewAccount
		fromStdin bool
		none      bool
		addresses prefixes
	)
	return verb{
		use: "add <username>", args: 1,
		short: "Adds an account",
		long: `
Adds an account. The password is asked for on a terminal, or read from standard
input with --password-stdin; it is never an argument, where others could see it.`,
		flags: func(f *pflag.FlagSet) {
			passwordFlag(f, &fromStdin)
			f.BoolVar(&none, "no-password", false, "No password logs in; API keys and tokens do")
			f.StringSliceVar(&n.Roles, "role", nil, "A role; repeatable")
			f.StringVar(&n.Tenant, "tenant", "", "Tenant that the account belongs to, by name or id")
			f.StringVar(&n.Unit, "unit", "", "Its unit there, by name or id")
			f.StringVar(&n.Email, "email", "", "Email address")
			f.Var(&addresses, "address", "Address or prefix that it may come from; repeatable (default: all)")
		},
		before: func(o *operation) (err error) {
			n.Username, n.Addresses = o.args[0], addresses
			switch {
			case none && fromStdin:
				return usagef("--no-password and --password-stdin exclude each other")
			case none:
				return nil
			}
			n.Password, err = o.newPassword(fromStdin)
			return err
		},
		run: func(o *operation) error {
			row, err := o.admin.AddAccount(o, n)
			if err != nil {
				return err
			}
			return o.showAccount(row)
		},
	}
}

func passwordFlag(f *pflag.FlagSet, fromStdin *bool) {
	f.BoolVar(fromStdin, "password-stdin", false, "Read the password from standard input")
}

func accountList() verb {
	return verb{
		use: "list", short: "Lists the accounts of the realm",
		run: func(o *operation) error {
			return list(o, listing[store.Account]{
				head: []string{"USERNAME", "EMAIL", "ROLES", "DISABLED", "CREATED", "LAST LOGIN", "ID"},
				doc:  func(row store.Account) (any, error) { return accountDoc(row), nil },
				cells: func(row store.Account) ([]string, error) {
					return []string{
						cell(row.Username), cell(row.Email), listCell(row.Roles), boolCell(row.Disabled),
						timeCell(row.Created), timeCell(row.LastLogin), cell(row.ID),
					}, nil
				},
			}, func(yield func(store.Account) error) error { return o.admin.Accounts(o, yield) })
		},
	}
}

func accountShow() verb {
	return verb{
		use: "show <username>", args: 1, short: "Shows an account",
		run: func(o *operation) error {
			row, err := o.admin.Account(o, o.args[0])
			if err != nil {
				return err
			}
			return o.showAccount(row)
		},
	}
}

func accountPasswd() verb {
	var fromStdin bool
	return verb{
		use: "passwd <username>", args: 1,
		short: "Replaces the password of an account and ends its sessions",
		flags: func(f *pflag.FlagSet) { passwordFlag(f, &fromStdin) },
		before: func(*operation) error {
			if fromStdin {
				return nil
			}
			return canAsk(aPassword)
		},
		run: func(o *operation) error {
			row, err := o.admin.Account(o, o.args[0])
			if err != nil {
				return err
			}
			p, err := o.newPassword(fromStdin)
			if err != nil {
				return err
			}
			if row, err = o.admin.SetPassword(o, row.ID, p); err != nil {
				return err
			}
			return o.tell(accountDoc(row), "the password of %s is changed and its sessions are ended", cell(row.Username))
		},
	}
}

// accountSwitch is disable and enable.
func accountSwitch(name string, off bool) verb {
	short := "Lets an account in again"
	if off {
		short = "Locks an account out and ends its sessions"
	}
	return verb{
		use: name + " <username>", args: 1, short: short,
		run: func(o *operation) error {
			row, err := o.admin.SetDisabled(o, o.args[0], off)
			if err != nil {
				return err
			}
			return o.tell(accountDoc(row), "%s is %sd", cell(row.Username), name)
		},
	}
}

func accountDelete() verb {
	var sure bool
	return verb{
		use: "delete <username>", args: 1,
		short: "Deletes an account with its keys, identifiers and sessions",
		flags: func(f *pflag.FlagSet) { sureFlag(f, &sure) },
		run: func(o *operation) error {
			row, err := o.admin.Account(o, o.args[0])
			if err != nil {
				return err
			}
			if err := o.confirm(sure, "Delete the account %s with its keys, identifiers and sessions?", cell(row.Username)); err != nil {
				return err
			}
			if row, err = o.admin.DeleteAccount(o, row.ID); err != nil {
				return err
			}
			return o.tell(accountDoc(row), "%s is deleted", cell(row.Username))
		},
	}
}

func sureFlag(f *pflag.FlagSet, sure *bool) {
	f.BoolVarP(sure, "yes", "y", false, "Do not ask; without a terminal nobody is asked anyway")
}

func accountRoles() verb {
	var (
		roles []string
		none  bool
	)
	return verb{
		use: "roles <username>", args: 1, short: "Replaces the roles of an account",
		flags: func(f *pflag.FlagSet) {
			f.StringSliceVar(&roles, "role", nil, "A role; repeatable")
			f.BoolVar(&none, "none", false, "No roles")
		},
		before: func(*operation) error {
			if none == (len(roles) > 0) {
				return usagef("say which: --role or --none")
			}
			return nil
		},
		run: func(o *operation) error {
			row, err := o.admin.SetRoles(o, o.args[0], roles)
			if err != nil {
				return err
			}
			return o.tell(accountDoc(row), "the roles of %s are %s", cell(row.Username), listCell(row.Roles))
		},
	}
}

func (o *operation) showAccount(row store.Account) error {
	members, err := o.admin.Members(o, row.ID)
	if err != nil {
		return err
	}
	lines := []line{
		{"username", cell(row.Username)},
		{"id", cell(row.ID)},
		{"email", cell(row.Email)},
		{"roles", listCell(row.Roles)},
		{"disabled", boolCell(row.Disabled)},
		{"password", boolCell(!row.Password.Empty())},
		{"addresses", listCell(prefixNames(row.Addresses))},
	}
	for _, m := range members {
		lines = append(lines, line{"tenant", memberCell(m)})
	}
	lines = append(lines, line{"created", timeCell(row.Created)}, line{"updated", timeCell(row.Updated)},
		line{"last login", timeCell(row.LastLogin)})
	return o.show(accountWhole{accountDoc(row), memberDocs(members), row.Profile, given(row.Settings)}, lines...)
}

// accountJSON is an account in JSON.
type accountJSON struct {
	ID        string      `json:"id"`
	Realm     string      `json:"realm"`
	Username  string      `json:"username"`
	Email     string      `json:"email"`
	Roles     []string    `json:"roles"`
	Disabled  bool        `json:"disabled"`
	Password  bool        `json:"has_password"`
	Addresses []string    `json:"addresses"`
	Created   instantJSON `json:"created"`
	Updated   instantJSON `json:"updated"`
	LastLogin instantJSON `json:"last_login"`
}

// accountWhole is all that `account show` says.
type accountWhole struct {
	accountJSON
	Tenants  []memberJSON    `json:"tenants"`
	Profile  store.Profile   `json:"profile"`
	Settings []store.Setting `json:"settings"`
}

func accountDoc(row store.Account) accountJSON {
	return accountJSON{
		ID: row.ID, Realm: row.Realm, Username: row.Username, Email: row.Email, Roles: given(row.Roles),
		Disabled: row.Disabled, Password: !row.Password.Empty(), Addresses: prefixNames(row.Addresses),
		Created: instantJSON(row.Created), Updated: instantJSON(row.Updated), LastLogin: instantJSON(row.LastLogin),
	}
}

// given has an empty list stand in JSON as one, not as null.
func given[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// ownerNames finds the names of accounts and tenants by id, each once.
type ownerNames struct {
	*operation
	accounts, tenants map[string]string
}

func (o *operation) names() *ownerNames {
	return &ownerNames{o, map[string]string{}, map[string]string{}}
}

// account returns the username of an account, "" where there is none.
func (n *ownerNames) account(id string) (string, error) {
	return known(n.accounts, id, func() (string, error) {
		row, err := n.admin.Account(n, id)
		return row.Username, err
	})
}

// tenant returns the name of a tenant, "" where there is none.
func (n *ownerNames) tenant(id string) (string, error) {
	return known(n.tenants, id, func() (string, error) {
		row, err := n.admin.Tenant(n, id)
		return row.Name, err
	})
}

// both returns the names of an account and a tenant.
func (n *ownerNames) both(account, tenant string) (username, name string, err error) {
	if username, err = n.account(account); err != nil {
		return "", "", err
	}
	name, err = n.tenant(tenant)
	return username, name, err
}

func known(names map[string]string, id string, look func() (string, error)) (string, error) {
	if id == "" {
		return "", nil
	}
	if name, ok := names[id]; ok {
		return name, nil
	}
	name, err := look()
	if err != nil && !auth.IsNotFound(err) {
		return "", err
	}
	names[id] = name
	return name, nil
}
