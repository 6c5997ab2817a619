-- Sets when a row was used, where that is later. ARGV: prefix, now, name, at.
local r = load(ARGV[3])
if not r or r.k <= now or tonumber(ARGV[4]) <= r.u then return 0 end
r.u = tonumber(ARGV[4])
redis.call('SET', P .. r.name, format(r), 'KEEPTTL')
return 1
