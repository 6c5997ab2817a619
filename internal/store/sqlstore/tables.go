package sqlstore

// What a copy of a store has to know of its tables: both flavours have the same,
// with the same columns, and text that is ordered by its bytes, so that rows come
// in one order from both.

// table is a table that is copied.
type table struct {
	name string
	// key are the columns that name a row, which come first.
	key []string
	// columns are all, those of the key included.
	columns []string
	// flags are columns that PostgreSQL keeps as booleans.
	flags []string
	// counted says that ids come from a sequence, which never goes back.
	counted bool
}

// tablesInOrder are all tables of the schema but those of its own (migrations and
// the feed of changes), each after those that it refers to.
var tablesInOrder = []table{
	{
		name: "accounts", key: cols("realm", "id"), flags: cols("disabled"),
		columns: cols("realm", "id", "username", "username_key", "email", "password", "roles", "disabled", "profile", "settings",
			"addresses", "created", "updated", "last_login", "version"),
	},
	{name: "account_names", key: cols("realm", "name"), columns: cols("realm", "name", "account")},
	{name: "tenants", key: cols("realm", "id"), columns: cols("realm", "id", "name", "name_key", "created")},
	{name: "tenant_names", key: cols("realm", "name"), columns: cols("realm", "name", "tenant")},
	{name: "units", key: cols("realm", "id"), columns: cols("realm", "id", "tenant", "name", "name_key", "created")},
	{name: "unit_names", key: cols("realm", "tenant", "name"), columns: cols("realm", "tenant", "name", "unit")},
	{name: "memberships", key: cols("realm", "account", "tenant"), columns: cols("realm", "account", "tenant", "unit", "roles")},
	{
		name: "identities", key: cols("realm", "id"),
		columns: cols("realm", "id", "account", "type", "created", "updated", "version"),
	},
	{
		name: "identifiers", key: cols("realm", "id"),
		columns: cols("realm", "id", "account", "name", "name_key", "pass_code", "code", "created"),
	},
	{
		name: "keys", key: cols("id"), counted: true, flags: cols("gateway"),
		columns: cols("id", "realm", "digest", "prefix", "last_four", "name", "description", "account", "tenant", "gateway", "scopes",
			"permissions", "client_secret", "created", "expires", "revoked", "last_used", "addresses", "version"),
	},
	{name: "signing_keys", key: cols("id"), columns: cols("id", "algorithm", "key_use", "sealed", "created", "retired", "expires", "longest")},
	{
		name: sessionsTable, key: cols("realm", "id"),
		columns: cols("realm", "id", "digest", "sealed", "dialect", "kind", "subject", "identity", "associate", "key_id", "tenant", "unit",
			"scopes", "flags", "slot", "family", "issued", "updated", "expires", "idle", "retired", "keep", "version"),
	},
}

const sessionsTable = "sessions"

func cols(list ...string) []string { return list }

// Tables names the tables that hold what a gateway keeps.
func Tables() []string {
	names := make([]string, len(tablesInOrder))
	for i, t := range tablesInOrder {
		names[i] = t.name
	}
	return names
}
