package caddymodule

import (
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
)

func accountJoin() verb {
	var (
		tenant, unit string
		roles        []string
	)
	return verb{
		use: "join <username>", args: 1,
		short: "Makes an account a member of a tenant",
		long: `
Makes an account a member of a tenant, with roles that count there only, beside
those of the account. If it is one already, its unit and roles are replaced.`,
		flags: func(f *pflag.FlagSet) {
			tenantFlag(f, &tenant)
			f.StringVar(&unit, "unit", "", "Its unit there, by name or id")
			f.StringSliceVar(&roles, "role", nil, "A role in this tenant; repeatable")
		},
		before: func(*operation) error { return needTenant(tenant) },
		run: func(o *operation) error {
			if err := o.admin.AddMember(o, o.args[0], tenant, unit, roles); err != nil {
				return err
			}
			row, err := o.admin.Account(o, o.args[0])
			if err != nil {
				return err
			}
			return o.showAccount(row)
		},
	}
}

func accountLeave() verb {
	var tenant string
	return verb{
		use: "leave <username>", args: 1,
		short:  "Ends the membership of an account in a tenant",
		flags:  func(f *pflag.FlagSet) { tenantFlag(f, &tenant) },
		before: func(*operation) error { return needTenant(tenant) },
		run: func(o *operation) error {
			if err := o.admin.RemoveMember(o, o.args[0], tenant); err != nil {
				return err
			}
			row, err := o.admin.Account(o, o.args[0])
			if err != nil {
				return err
			}
			return o.tell(accountDoc(row), "%s has left %s", cell(row.Username), cell(tenant))
		},
	}
}

func tenantFlag(f *pflag.FlagSet, tenant *string) {
	f.StringVar(tenant, "tenant", "", "Tenant, by name or id (required)")
}

func needTenant(tenant string) error {
	if tenant == "" {
		return usagef("--tenant is missing")
	}
	return nil
}

// memberJSON is a membership in JSON.
type memberJSON struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	UnitID string   `json:"unit_id"`
	Unit   string   `json:"unit"`
	Roles  []string `json:"roles"`
}

func memberDocs(all []admin.Member) []memberJSON {
	docs := make([]memberJSON, len(all))
	for i, m := range all {
		docs[i] = memberJSON{m.Tenant.ID, m.Tenant.Name, m.Unit.ID, m.Unit.Name, given(m.Roles)}
	}
	return docs
}

// memberCell is a membership in a line.
func memberCell(m admin.Member) string {
	text := cell(m.Tenant.Name)
	if m.Unit.ID != "" {
		text += ", unit " + cell(m.Unit.Name)
	}
	if len(m.Roles) > 0 {
		text += ", roles " + listCell(m.Roles)
	}
	return text
}
