-- Returns the row that a digest or slot leads to. ARGV: prefix, now, pointer.
local name = redis.call('GET', P .. ARGV[3])
return name and redis.call('GET', P .. name)
