-- What every script begins with. Keys are the store's prefix and a name, all in
-- one hash slot. A row is one string: a line of what scripts look at, then what
-- only the gateway reads.
local P, now = ARGV[1], tonumber(ARGV[2])

-- Redis takes an expiry of its own for memory only: a little later than Keep,
-- which the gateways judge by their clocks.
local slack = 3600000

local function parse(name, text)
  local line, body = string.match(text, '^([^\n]*)\n(.*)$')
  local v, k, e, u, d, s, m, x = string.match(line, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  return {name = name, v = v, k = tonumber(k), e = tonumber(e), u = tonumber(u), d = d, s = s, m = m, x = x, body = body}
end

local function load(name)
  local text = redis.call('GET', P .. name)
  return text and parse(name, text)
end

local function int(n) return string.format('%.0f', n) end

local function format(r)
  return table.concat({r.v, int(r.k), int(r.e), int(r.u), r.d, r.s, r.m, r.x}, ' ') .. '\n' .. r.body
end

-- erase removes a row with all that leads to it.
local function erase(r)
  redis.call('DEL', P .. r.name)
  for _, pointer in ipairs({r.d, r.s}) do
    if pointer ~= '-' and redis.call('GET', P .. pointer) == r.name then redis.call('DEL', P .. pointer) end
  end
  for index in string.gmatch(r.x, '[^,-][^,]*') do redis.call('ZREM', P .. index, r.name) end
  redis.call('ZREM', P .. 'all', r.name)
end

-- changes enters changes in the log: each names the one before it, so that a
-- reader notices where the log is not the one that it has read.
local function changes(at, nonce, floor, list)
  local head = redis.call('HMGET', P .. 'seq', 'n', 'm')
  local seq, before = math.max(tonumber(head[1] or 0), floor), head[2] or ''
  local entered = {}
  for i, c in ipairs(list) do
    seq = seq + 1
    redis.call('XADD', P .. 'log', 'MAXLEN', '~', 200000, int(seq) .. '-0',
      'k', c.kind, 'r', c.realm, 'i', c.id, 'a', at, 'm', nonce, 'p', before)
    entered[i] = {int(seq), c.kind, c.realm, c.id, at}
    before = nonce
  end
  if #list > 0 then
    redis.call('HSET', P .. 'seq', 'n', int(seq), 'm', nonce)
    redis.call('PUBLISH', P .. 'news', int(seq))
  end
  return entered
end
