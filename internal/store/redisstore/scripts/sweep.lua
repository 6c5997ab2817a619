-- Removes rows whose Keep has passed, oldest first. Returns how many, how many
-- more there are, and how many rows of any age. ARGV: prefix, now, limit.
local names = redis.call('ZRANGEBYSCORE', P .. 'all', '-inf', int(now), 'LIMIT', 0, ARGV[3])
for _, name in ipairs(names) do
  local r = load(name)
  if r then erase(r) else redis.call('ZREM', P .. 'all', name) end
end
return {#names, redis.call('ZCOUNT', P .. 'all', '-inf', int(now)), redis.call('ZCARD', P .. 'all')}
