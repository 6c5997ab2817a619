-- Runs every command that scripts run, on keys that are nobody's, and returns the
-- first that is refused with the server's words. ARGV: prefix, now.
local one, two = P .. 'permitted', P .. 'permitted-index'
for _, command in ipairs({
  {'SET', one, '1', 'PX', '1000'}, {'GET', one}, {'MGET', one}, {'EXISTS', one}, {'PTTL', one}, {'PEXPIRE', one, '1000'}, {'DEL', one},
  {'ZADD', two, '1', 'a'}, {'ZRANGE', two, '0', '0'}, {'ZRANGEBYSCORE', two, '0', '0'}, {'ZCOUNT', two, '0', '0'}, {'ZCARD', two},
  {'ZREM', two, 'a'}, {'HSET', one, 'a', '1'}, {'HMGET', one, 'a'}, {'DEL', one},
  {'XADD', one, '*', 'a', '1'}, {'XRANGE', one, '-', '+'}, {'XTRIM', one, 'MAXLEN', '0'}, {'DEL', one}, {'PUBLISH', P .. 'news', '0'},
}) do
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply.err then return {command[1], reply.err} end
end
return {}
