-- Replaces what a row has sealed, where that is still so, and nothing else of
-- it. What stands between quotes in JSON holds none. ARGV: prefix, now, name, old
-- and new, both base64.
local r = load(ARGV[3])
if not r or r.k <= now then return 0 end
local from, to = string.find(r.body, '"sealed":"' .. ARGV[4] .. '"', 1, true)
if not from then return 0 end
r.body = string.sub(r.body, 1, from - 1) .. '"sealed":"' .. ARGV[5] .. '"' .. string.sub(r.body, to + 1)
redis.call('SET', P .. r.name, format(r), 'KEEPTTL')
return 1
