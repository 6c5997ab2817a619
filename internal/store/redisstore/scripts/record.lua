-- Enters one change, with a sequence beyond floor. ARGV: prefix, now, nonce,
-- floor, kind, realm, id.
return changes(ARGV[2], ARGV[3], tonumber(ARGV[4]), {{kind = ARGV[5], realm = ARGV[6], id = ARGV[7]}})
