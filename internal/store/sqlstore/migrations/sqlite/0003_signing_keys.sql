-- How long what a key signed lives at most: a retired key verifies until then.
-- Of the keys that there are nobody knows it: no token lived longer than 31 days
-- where nothing else was configured.
ALTER TABLE signing_keys ADD COLUMN longest INTEGER NOT NULL DEFAULT 0;
UPDATE signing_keys SET longest = 31 * 24 * 60 * 60 * 1000;
