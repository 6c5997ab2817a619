-- Removes the oldest changes that were made before an instant. ARGV: prefix,
-- now, before, limit.
local before, last = tonumber(ARGV[3]), nil
for _, entry in ipairs(redis.call('XRANGE', P .. 'log', '-', '+', 'COUNT', ARGV[4])) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  if tonumber(fields.a) >= before then break end
  last = tonumber(string.match(entry[1], '^%d+'))
end
if not last then return 0 end
return redis.call('XTRIM', P .. 'log', 'MINID', int(last + 1) .. '-0')
