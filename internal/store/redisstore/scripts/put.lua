-- Adds rows, all or none; with a name and a version first takes the row of that
-- name out, if it is still of that version. ARGV: prefix, now, nonce, name,
-- version, realm and id of that row ('' for none), then for each row its name,
-- version, keep, expires, updated, digest, slot, marks, indexes and body.
local nonce, old, version, realm, id = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local stored, pending, gone, owner, order = {}, {}, {}, {}, {}

-- at returns the row of a name as things would stand.
local function at(name)
  if pending[name] then return pending[name] end
  if gone[name] then return false end
  if stored[name] == nil then stored[name] = load(name) or false end
  return stored[name]
end

-- holder returns the row that a digest or slot leads to.
local function holder(pointer)
  if pointer == '-' then return false end
  local name = owner[pointer] or redis.call('GET', P .. pointer)
  local r = name and at(name)
  return r and (r.d == pointer or r.s == pointer) and r
end

local function remove(r)
  if pending[r.name] == r then pending[r.name] = nil else gone[r.name] = r end
end

local function place(r)
  for _, other in ipairs({at(r.name), holder(r.d), holder(r.s)}) do
    if other and (other.k <= now or r.s ~= '-' and other.s == r.s and other.e <= now) then remove(other) end
  end
  if at(r.name) or holder(r.d) or holder(r.s) then return false end
  pending[r.name], owner[r.d] = r, r.name
  if r.s ~= '-' then owner[r.s] = r.name end
  order[#order + 1] = r
  return true
end

-- tidy removes from an index what Redis let go; the row itself says so, never a
-- clock, since a row that no index leads to escapes a revocation.
local function tidy(index)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', P .. index, '-inf', int(now), 'LIMIT', 0, 4)) do
    if redis.call('EXISTS', P .. name) == 0 then redis.call('ZREM', P .. index, name) end
  end
end

local function write(r)
  local life = math.max(r.k - now, 0) + slack
  redis.call('SET', P .. r.name, format(r), 'PX', int(life))
  redis.call('SET', P .. r.d, r.name, 'PX', int(life))
  if r.s ~= '-' then redis.call('SET', P .. r.s, r.name, 'PX', int(life)) end
  redis.call('ZADD', P .. 'all', int(r.k), r.name)
  for index in string.gmatch(r.x, '[^,-][^,]*') do
    tidy(index)
    redis.call('ZADD', P .. index, int(r.k), r.name)
    if redis.call('PTTL', P .. index) < life + 1000 then redis.call('PEXPIRE', P .. index, int(life + 1000)) end
  end
end

local current
if old ~= '' then
  current = at(old)
  if not current or current.k <= now then return {'absent'} end
  if current.v ~= version then return {'conflict'} end
  remove(current)
end
for i = 8, #ARGV, 10 do
  local r = {
    name = ARGV[i], v = ARGV[i + 1], k = tonumber(ARGV[i + 2]), e = tonumber(ARGV[i + 3]), u = tonumber(ARGV[i + 4]),
    d = ARGV[i + 5], s = ARGV[i + 6], m = ARGV[i + 7], x = ARGV[i + 8], body = ARGV[i + 9],
  }
  if i == 8 and current then r.u = math.max(r.u, current.u) end
  if not place(r) then return {'conflict'} end
end
for _, r in pairs(gone) do erase(r) end
for _, r in ipairs(order) do
  if pending[r.name] == r then write(r) end
end
if not current then return {'ok', {}} end
return {'ok', changes(ARGV[2], nonce, 0, {{kind = 'session', realm = realm, id = id}})}
