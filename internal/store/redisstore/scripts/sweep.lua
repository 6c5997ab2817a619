-- Removes rows whose Keep has passed, oldest first. ARGV: prefix, now, limit.
local names = redis.call('ZRANGEBYSCORE', P .. 'all', '-inf', int(now), 'LIMIT', 0, ARGV[3])
for _, name in ipairs(names) do
  local r = load(name)
  if r then erase(r) else redis.call('ZREM', P .. 'all', name) end
end
return #names
