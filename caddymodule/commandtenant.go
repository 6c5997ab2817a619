package caddymodule

import (
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func tenantCommand() command {
	return group("tenant", "Manages tenants: organisations or entities", `
Manages tenants: organisations or entities that accounts belong to. A tenant is
named by its name or id.`,
		tenantAdd(), tenantList(), tenantDelete())
}

// tenantJSON is a tenant in JSON.
type tenantJSON struct {
	ID      string      `json:"id"`
	Realm   string      `json:"realm"`
	Name    string      `json:"name"`
	Created instantJSON `json:"created"`
}

func tenantDoc(t store.Tenant) tenantJSON {
	return tenantJSON{t.ID, t.Realm, t.Name, instantJSON(t.Created)}
}

func tenantAdd() verb {
	return verb{
		use: "add <name>", args: 1, short: "Adds a tenant",
		run: func(o *operation) error {
			t, err := o.admin.AddTenant(o, o.args[0])
			if err != nil {
				return err
			}
			return o.show(tenantDoc(t), line{"name", cell(t.Name)}, line{"id", cell(t.ID)})
		},
	}
}

func tenantList() verb {
	return verb{
		use: "list", short: "Lists the tenants of the realm",
		run: func(o *operation) error {
			return list(o, listing[store.Tenant]{
				head: []string{"NAME", "CREATED", "ID"},
				doc:  func(t store.Tenant) (any, error) { return tenantDoc(t), nil },
				cells: func(t store.Tenant) ([]string, error) {
					return []string{cell(t.Name), timeCell(t.Created), cell(t.ID)}, nil
				},
			}, func(yield func(store.Tenant) error) error { return o.admin.Tenants(o, yield) })
		},
	}
}

func tenantDelete() verb {
	var sure bool
	return verb{
		use: "delete <name>", args: 1,
		short: "Deletes a tenant with its units, memberships, keys and sessions",
		flags: func(f *pflag.FlagSet) { sureFlag(f, &sure) },
		run: func(o *operation) error {
			t, err := o.admin.Tenant(o, o.args[0])
			if err != nil {
				return err
			}
			if err := o.confirm(sure, "Delete the tenant %s with its units, memberships, keys and sessions?", cell(t.Name)); err != nil {
				return err
			}
			if t, err = o.admin.DeleteTenant(o, t.ID); err != nil {
				return err
			}
			return o.tell(tenantDoc(t), "%s is deleted", cell(t.Name))
		},
	}
}

func unitCommand() command {
	return group("unit", "Manages the units of tenants", `
Manages units: the parts of a tenant. A unit is named by its name or id, within
its tenant.`,
		unitAdd(), unitList(), unitDelete())
}

// unitJSON is a unit in JSON.
type unitJSON struct {
	ID       string      `json:"id"`
	Realm    string      `json:"realm"`
	TenantID string      `json:"tenant_id"`
	Name     string      `json:"name"`
	Created  instantJSON `json:"created"`
}

func unitDoc(u store.Unit) unitJSON {
	return unitJSON{u.ID, u.Realm, u.Tenant, u.Name, instantJSON(u.Created)}
}

func unitAdd() verb {
	var tenant string
	return verb{
		use: "add <name>", args: 1, short: "Adds a unit to a tenant",
		flags:  func(f *pflag.FlagSet) { tenantFlag(f, &tenant) },
		before: func(*operation) error { return needTenant(tenant) },
		run: func(o *operation) error {
			u, err := o.admin.AddUnit(o, tenant, o.args[0])
			if err != nil {
				return err
			}
			return o.show(unitDoc(u), line{"name", cell(u.Name)}, line{"id", cell(u.ID)})
		},
	}
}

func unitList() verb {
	var tenant string
	return verb{
		use: "list", short: "Lists the units of a tenant",
		flags:  func(f *pflag.FlagSet) { tenantFlag(f, &tenant) },
		before: func(*operation) error { return needTenant(tenant) },
		run: func(o *operation) error {
			return list(o, listing[store.Unit]{
				head: []string{"NAME", "CREATED", "ID"},
				doc:  func(u store.Unit) (any, error) { return unitDoc(u), nil },
				cells: func(u store.Unit) ([]string, error) {
					return []string{cell(u.Name), timeCell(u.Created), cell(u.ID)}, nil
				},
			}, func(yield func(store.Unit) error) error { return o.admin.Units(o, tenant, yield) })
		},
	}
}

func unitDelete() verb {
	var (
		tenant string
		sure   bool
	)
	return verb{
		use: "delete <name>", args: 1,
		short: "Deletes a unit and ends its sessions",
		flags: func(f *pflag.FlagSet) {
			tenantFlag(f, &tenant)
			sureFlag(f, &sure)
		},
		before: func(*operation) error { return needTenant(tenant) },
		run: func(o *operation) error {
			u, err := o.admin.Unit(o, tenant, o.args[0])
			if err != nil {
				return err
			}
			if err := o.confirm(sure, "Delete the unit %s and end its sessions?", cell(u.Name)); err != nil {
				return err
			}
			if u, err = o.admin.DeleteUnit(o, u.Tenant, u.ID); err != nil {
				return err
			}
			return o.tell(unitDoc(u), "%s is deleted", cell(u.Name))
		},
	}
}
