-- Login identities, and access identifiers: a code, or a name with a pass code.

CREATE TABLE identities (
	realm   TEXT NOT NULL,
	id      TEXT NOT NULL,
	account TEXT NOT NULL,
	type    TEXT NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (realm, id),
	FOREIGN KEY (realm, account) REFERENCES accounts (realm, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX identities_account ON identities (realm, account);

CREATE TABLE identifiers (
	realm     TEXT NOT NULL,
	id        TEXT NOT NULL,
	account   TEXT NOT NULL,
	name      TEXT NOT NULL,
	name_key  TEXT, -- folded, null for a code
	pass_code TEXT NOT NULL, -- a PHC string
	code      BLOB, -- a MAC, null for a name
	created   INTEGER NOT NULL,
	PRIMARY KEY (realm, id),
	FOREIGN KEY (realm, account) REFERENCES accounts (realm, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX identifiers_account ON identifiers (realm, account);
-- Nulls are distinct from one another, so these hold where something is set.
CREATE UNIQUE INDEX identifiers_name ON identifiers (realm, name_key);
CREATE UNIQUE INDEX identifiers_code ON identifiers (realm, code);

-- Tokens that are used once are listed and searched, among them all of a realm,
-- and are few beside the others.
CREATE INDEX sessions_one_time ON sessions (realm, issued) WHERE kind = 'one_time';
