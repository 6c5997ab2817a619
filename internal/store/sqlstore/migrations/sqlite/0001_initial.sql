-- Times are unix milliseconds, -62135596800000 (the year 1) for none, which so
-- comes before all others. Durations are milliseconds, lists JSON arrays, absent
-- text and empty lists ''. A digest is the 32 bytes of a SHA-256.

CREATE TABLE accounts (
	realm        TEXT NOT NULL,
	id           TEXT NOT NULL,
	username     TEXT NOT NULL,
	username_key TEXT NOT NULL, -- folded, the order of lists
	email        TEXT NOT NULL,
	password     TEXT NOT NULL, -- a PHC string
	roles        TEXT NOT NULL,
	disabled     INTEGER NOT NULL,
	profile      TEXT NOT NULL, -- JSON object
	settings     TEXT NOT NULL,
	addresses    TEXT NOT NULL,
	created      INTEGER NOT NULL,
	updated      INTEGER NOT NULL,
	last_login   INTEGER NOT NULL,
	version      INTEGER NOT NULL,
	PRIMARY KEY (realm, id)
) STRICT;
CREATE UNIQUE INDEX accounts_username ON accounts (realm, username_key);

-- Every name that leads to an account, folded: its id, username and email.
-- One table, so that no name leads to two accounts whatever its kind.
CREATE TABLE account_names (
	realm   TEXT NOT NULL,
	name    TEXT NOT NULL,
	account TEXT NOT NULL,
	PRIMARY KEY (realm, name),
	FOREIGN KEY (realm, account) REFERENCES accounts (realm, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX account_names_account ON account_names (realm, account);

CREATE TABLE tenants (
	realm    TEXT NOT NULL,
	id       TEXT NOT NULL,
	name     TEXT NOT NULL,
	name_key TEXT NOT NULL,
	created  INTEGER NOT NULL,
	PRIMARY KEY (realm, id)
) STRICT;
CREATE UNIQUE INDEX tenants_name ON tenants (realm, name_key);

-- As account_names, for the id and the name of a tenant.
CREATE TABLE tenant_names (
	realm  TEXT NOT NULL,
	name   TEXT NOT NULL,
	tenant TEXT NOT NULL,
	PRIMARY KEY (realm, name),
	FOREIGN KEY (realm, tenant) REFERENCES tenants (realm, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX tenant_names_tenant ON tenant_names (realm, tenant);

CREATE TABLE units (
	realm    TEXT NOT NULL,
	id       TEXT NOT NULL,
	tenant   TEXT NOT NULL,
	name     TEXT NOT NULL,
	name_key TEXT NOT NULL,
	created  INTEGER NOT NULL,
	PRIMARY KEY (realm, id),
	FOREIGN KEY (realm, tenant) REFERENCES tenants (realm, id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX units_name ON units (realm, tenant, name_key);

-- As account_names, for the id and the name of a unit within its tenant.
CREATE TABLE unit_names (
	realm  TEXT NOT NULL,
	tenant TEXT NOT NULL,
	name   TEXT NOT NULL,
	unit   TEXT NOT NULL,
	PRIMARY KEY (realm, tenant, name),
	FOREIGN KEY (realm, unit) REFERENCES units (realm, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX unit_names_unit ON unit_names (realm, unit);

CREATE TABLE memberships (
	realm   TEXT NOT NULL,
	account TEXT NOT NULL,
	tenant  TEXT NOT NULL,
	unit    TEXT NOT NULL,
	roles   TEXT NOT NULL,
	PRIMARY KEY (realm, account, tenant),
	FOREIGN KEY (realm, account) REFERENCES accounts (realm, id) ON DELETE CASCADE,
	FOREIGN KEY (realm, tenant) REFERENCES tenants (realm, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_tenant ON memberships (realm, tenant);

-- AUTOINCREMENT: the id of a deleted key names no other key, ever.
CREATE TABLE keys (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	realm         TEXT NOT NULL,
	digest        BLOB NOT NULL,
	prefix        TEXT NOT NULL,
	last_four     TEXT NOT NULL,
	name          TEXT NOT NULL,
	description   TEXT NOT NULL,
	account       TEXT NOT NULL,
	tenant        TEXT NOT NULL,
	gateway       INTEGER NOT NULL,
	scopes        TEXT NOT NULL,
	permissions   INTEGER NOT NULL,
	client_secret BLOB, -- a digest, null for none
	created       INTEGER NOT NULL,
	expires       INTEGER NOT NULL,
	revoked       INTEGER NOT NULL,
	last_used     INTEGER NOT NULL,
	addresses     TEXT NOT NULL,
	version       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX keys_digest ON keys (realm, digest);
CREATE INDEX keys_account ON keys (realm, account) WHERE account <> '';
CREATE INDEX keys_tenant ON keys (realm, tenant) WHERE tenant <> '';

-- Rows are wide and come in the order of time, so they are appended under
-- row_id and only the small index entries land at random places. The indexes
-- over what most sessions lack are partial: a query names the same condition.
CREATE TABLE sessions (
	row_id    INTEGER PRIMARY KEY,
	realm     TEXT NOT NULL,
	id        TEXT NOT NULL,
	digest    BLOB NOT NULL,
	sealed    BLOB, -- null for none
	dialect   TEXT NOT NULL,
	kind      TEXT NOT NULL,
	subject   TEXT NOT NULL,
	identity  TEXT NOT NULL,
	associate TEXT NOT NULL,
	key_id    INTEGER NOT NULL,
	tenant    TEXT NOT NULL,
	unit      TEXT NOT NULL,
	scopes    TEXT NOT NULL,
	flags     TEXT NOT NULL,
	slot      TEXT NOT NULL,
	family    TEXT NOT NULL,
	issued    INTEGER NOT NULL,
	updated   INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	idle      INTEGER NOT NULL,
	retired   INTEGER NOT NULL,
	keep      INTEGER NOT NULL,
	version   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sessions_digest ON sessions (realm, digest);
CREATE UNIQUE INDEX sessions_id ON sessions (realm, id);
CREATE UNIQUE INDEX sessions_slot ON sessions (realm, slot) WHERE slot <> '';
CREATE INDEX sessions_subject ON sessions (realm, subject) WHERE subject <> '';
CREATE INDEX sessions_identity ON sessions (realm, identity) WHERE identity <> '';
CREATE INDEX sessions_family ON sessions (realm, family) WHERE family <> '';
CREATE INDEX sessions_key ON sessions (realm, key_id) WHERE key_id <> 0;
CREATE INDEX sessions_tenant ON sessions (realm, tenant, unit) WHERE tenant <> '';
CREATE INDEX sessions_keep ON sessions (keep);

CREATE TABLE signing_keys (
	id        TEXT PRIMARY KEY,
	algorithm TEXT NOT NULL,
	key_use   TEXT NOT NULL,
	sealed    BLOB, -- null for none
	created   INTEGER NOT NULL,
	retired   INTEGER NOT NULL,
	expires   INTEGER NOT NULL
) STRICT;

-- AUTOINCREMENT: a sequence is never given twice, even after all rows were
-- trimmed; the newest one given stands in sqlite_sequence.
CREATE TABLE changes (
	seq   INTEGER PRIMARY KEY AUTOINCREMENT,
	realm TEXT NOT NULL,
	kind  TEXT NOT NULL,
	id    TEXT NOT NULL,
	at    INTEGER NOT NULL
) STRICT;
CREATE INDEX changes_at ON changes (at);
