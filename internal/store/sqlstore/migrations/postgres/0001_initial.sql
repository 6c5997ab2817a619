-- Times are unix milliseconds, -62135596800000 (the year 1) for none, which so
-- comes before all others. Durations are milliseconds, lists JSON arrays, absent
-- text and empty lists ''. A digest is the 32 bytes of a SHA-256. Text is ordered
-- by its bytes, whatever the collation of the database.

CREATE TABLE accounts (
	realm        TEXT COLLATE "C" NOT NULL,
	id           TEXT COLLATE "C" NOT NULL,
	username     TEXT COLLATE "C" NOT NULL,
	username_key TEXT COLLATE "C" NOT NULL, -- folded, the order of lists
	email        TEXT COLLATE "C" NOT NULL,
	password     TEXT COLLATE "C" NOT NULL, -- a PHC string
	roles        TEXT COLLATE "C" NOT NULL,
	disabled     BOOLEAN NOT NULL,
	profile      TEXT COLLATE "C" NOT NULL, -- JSON object
	settings     TEXT COLLATE "C" NOT NULL,
	addresses    TEXT COLLATE "C" NOT NULL,
	created      BIGINT NOT NULL,
	updated      BIGINT NOT NULL,
	last_login   BIGINT NOT NULL,
	version      BIGINT NOT NULL,
	PRIMARY KEY (realm, id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX accounts_username ON accounts (realm, username_key);

-- Every name that leads to an account, folded: its id, username and email.
-- One table, so that no name leads to two accounts whatever its kind.
CREATE TABLE account_names (
	realm   TEXT COLLATE "C" NOT NULL,
	name    TEXT COLLATE "C" NOT NULL,
	account TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (realm, name),
	FOREIGN KEY (realm, account) REFERENCES accounts (realm, id) ON DELETE CASCADE
);
CREATE INDEX account_names_account ON account_names (realm, account);

CREATE TABLE tenants (
	realm    TEXT COLLATE "C" NOT NULL,
	id       TEXT COLLATE "C" NOT NULL,
	name     TEXT COLLATE "C" NOT NULL,
	name_key TEXT COLLATE "C" NOT NULL,
	created  BIGINT NOT NULL,
	PRIMARY KEY (realm, id)
);
CREATE UNIQUE INDEX tenants_name ON tenants (realm, name_key);

-- As account_names, for the id and the name of a tenant.
CREATE TABLE tenant_names (
	realm  TEXT COLLATE "C" NOT NULL,
	name   TEXT COLLATE "C" NOT NULL,
	tenant TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (realm, name),
	FOREIGN KEY (realm, tenant) REFERENCES tenants (realm, id) ON DELETE CASCADE
);
CREATE INDEX tenant_names_tenant ON tenant_names (realm, tenant);

CREATE TABLE units (
	realm    TEXT COLLATE "C" NOT NULL,
	id       TEXT COLLATE "C" NOT NULL,
	tenant   TEXT COLLATE "C" NOT NULL,
	name     TEXT COLLATE "C" NOT NULL,
	name_key TEXT COLLATE "C" NOT NULL,
	created  BIGINT NOT NULL,
	PRIMARY KEY (realm, id),
	FOREIGN KEY (realm, tenant) REFERENCES tenants (realm, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX units_name ON units (realm, tenant, name_key);

-- As account_names, for the id and the name of a unit within its tenant.
CREATE TABLE unit_names (
	realm  TEXT COLLATE "C" NOT NULL,
	tenant TEXT COLLATE "C" NOT NULL,
	name   TEXT COLLATE "C" NOT NULL,
	unit   TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (realm, tenant, name),
	FOREIGN KEY (realm, unit) REFERENCES units (realm, id) ON DELETE CASCADE
);
CREATE INDEX unit_names_unit ON unit_names (realm, unit);

CREATE TABLE memberships (
	realm   TEXT COLLATE "C" NOT NULL,
	account TEXT COLLATE "C" NOT NULL,
	tenant  TEXT COLLATE "C" NOT NULL,
	unit    TEXT COLLATE "C" NOT NULL,
	roles   TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (realm, account, tenant),
	FOREIGN KEY (realm, account) REFERENCES accounts (realm, id) ON DELETE CASCADE,
	FOREIGN KEY (realm, tenant) REFERENCES tenants (realm, id) ON DELETE CASCADE
);
CREATE INDEX memberships_tenant ON memberships (realm, tenant);

-- Login identities, and access identifiers: a code, or a name with a pass code.
CREATE TABLE identities (
	realm   TEXT COLLATE "C" NOT NULL,
	id      TEXT COLLATE "C" NOT NULL,
	account TEXT COLLATE "C" NOT NULL,
	type    TEXT COLLATE "C" NOT NULL,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	version BIGINT NOT NULL,
	PRIMARY KEY (realm, id),
	FOREIGN KEY (realm, account) REFERENCES accounts (realm, id) ON DELETE CASCADE
);
CREATE INDEX identities_account ON identities (realm, account);

CREATE TABLE identifiers (
	realm     TEXT COLLATE "C" NOT NULL,
	id        TEXT COLLATE "C" NOT NULL,
	account   TEXT COLLATE "C" NOT NULL,
	name      TEXT COLLATE "C" NOT NULL,
	name_key  TEXT COLLATE "C", -- folded, null for a code
	pass_code TEXT COLLATE "C" NOT NULL, -- a PHC string
	code      BYTEA, -- a MAC, null for a name
	created   BIGINT NOT NULL,
	PRIMARY KEY (realm, id),
	FOREIGN KEY (realm, account) REFERENCES accounts (realm, id) ON DELETE CASCADE
);
CREATE INDEX identifiers_account ON identifiers (realm, account);
-- Nulls are distinct from one another, so these hold where something is set.
CREATE UNIQUE INDEX identifiers_name ON identifiers (realm, name_key);
CREATE UNIQUE INDEX identifiers_code ON identifiers (realm, code);

-- The id of a deleted key names no other key, ever: a sequence does not go back.
CREATE TABLE keys (
	id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	realm         TEXT COLLATE "C" NOT NULL,
	digest        BYTEA NOT NULL,
	prefix        TEXT COLLATE "C" NOT NULL,
	last_four     TEXT COLLATE "C" NOT NULL,
	name          TEXT COLLATE "C" NOT NULL,
	description   TEXT COLLATE "C" NOT NULL,
	account       TEXT COLLATE "C" NOT NULL,
	tenant        TEXT COLLATE "C" NOT NULL,
	gateway       BOOLEAN NOT NULL,
	scopes        TEXT COLLATE "C" NOT NULL,
	permissions   INTEGER NOT NULL,
	client_secret BYTEA, -- a digest, null for none
	created       BIGINT NOT NULL,
	expires       BIGINT NOT NULL,
	revoked       BIGINT NOT NULL,
	last_used     BIGINT NOT NULL,
	addresses     TEXT COLLATE "C" NOT NULL,
	version       BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX keys_digest ON keys (realm, digest);
CREATE INDEX keys_account ON keys (realm, account) WHERE account <> '';
CREATE INDEX keys_tenant ON keys (realm, tenant) WHERE tenant <> '';

-- The indexes over what most sessions lack are partial: a query names the same
-- condition. None covers updated, so that a stamp rewrites no index entry.
CREATE TABLE sessions (
	realm     TEXT COLLATE "C" NOT NULL,
	id        TEXT COLLATE "C" NOT NULL,
	digest    BYTEA NOT NULL,
	sealed    BYTEA, -- null for none
	dialect   TEXT COLLATE "C" NOT NULL,
	kind      TEXT COLLATE "C" NOT NULL,
	subject   TEXT COLLATE "C" NOT NULL,
	identity  TEXT COLLATE "C" NOT NULL,
	associate TEXT COLLATE "C" NOT NULL,
	key_id    BIGINT NOT NULL,
	tenant    TEXT COLLATE "C" NOT NULL,
	unit      TEXT COLLATE "C" NOT NULL,
	scopes    TEXT COLLATE "C" NOT NULL,
	flags     TEXT COLLATE "C" NOT NULL,
	slot      TEXT COLLATE "C" NOT NULL,
	family    TEXT COLLATE "C" NOT NULL,
	issued    BIGINT NOT NULL,
	updated   BIGINT NOT NULL,
	expires   BIGINT NOT NULL,
	idle      BIGINT NOT NULL,
	retired   BIGINT NOT NULL,
	keep      BIGINT NOT NULL,
	version   BIGINT NOT NULL
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX sessions_digest ON sessions (realm, digest);
CREATE UNIQUE INDEX sessions_id ON sessions (realm, id);
CREATE UNIQUE INDEX sessions_slot ON sessions (realm, slot) WHERE slot <> '';
CREATE INDEX sessions_subject ON sessions (realm, subject) WHERE subject <> '';
CREATE INDEX sessions_identity ON sessions (realm, identity) WHERE identity <> '';
CREATE INDEX sessions_family ON sessions (realm, family) WHERE family <> '';
CREATE INDEX sessions_key ON sessions (realm, key_id) WHERE key_id <> 0;
CREATE INDEX sessions_tenant ON sessions (realm, tenant, unit) WHERE tenant <> '';
CREATE INDEX sessions_keep ON sessions (keep);
-- Tokens that are used once are listed and searched, among them all of a realm,
-- and are few beside the others.
CREATE INDEX sessions_one_time ON sessions (realm, issued) WHERE kind = 'one_time';

CREATE TABLE signing_keys (
	id        TEXT COLLATE "C" PRIMARY KEY,
	algorithm TEXT COLLATE "C" NOT NULL,
	key_use   TEXT COLLATE "C" NOT NULL,
	sealed    BYTEA, -- null for none
	created   BIGINT NOT NULL,
	retired   BIGINT NOT NULL,
	expires   BIGINT NOT NULL,
	longest   BIGINT NOT NULL -- how long what it signed lives at most
);

-- Sequences are given under a lock that is held until the end of the commit, so
-- that they become visible in their order. One that was given to a transaction
-- that failed is never seen.
CREATE TABLE changes (
	seq   BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	realm TEXT COLLATE "C" NOT NULL,
	kind  TEXT COLLATE "C" NOT NULL,
	id    TEXT COLLATE "C" NOT NULL,
	at    BIGINT NOT NULL
);
CREATE INDEX changes_at ON changes (at);

-- The newest sequence that may have been trimmed: one row.
CREATE TABLE changes_trimmed (seq BIGINT NOT NULL);
INSERT INTO changes_trimmed (seq) VALUES (0);
