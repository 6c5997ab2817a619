-- Removes the rows that a name leads to and that bear all of the marks, at most
-- a number of them, so that nobody waits long for it. ARGV: prefix, now, nonce,
-- realm, kind and id of the change ('' for one for each row), the most to
-- remove, the name that is looked at, and the marks.
local nonce, realm, kind, id, most, source = ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8]
local letter, names = string.sub(source, 1, 1), {}
if letter == 'i' then
  names = {source}
elseif letter == 'd' then
  names = {redis.call('GET', P .. source) or nil}
else
  names = redis.call('ZRANGE', P .. source, 0, -1)
end

local function bears(r)
  local all = table.concat({r.name, r.d, r.m, r.x}, ',')
  for i = 9, #ARGV do
    if not string.find(all, ARGV[i], 1, true) then return false end
  end
  return true
end

local list, removed, more = {}, 0, 0
if kind ~= '' then list[1] = {kind = kind, realm = realm, id = id} end
for _, name in ipairs(names) do
  if removed >= most then
    more = 1
    break
  end
  local r = load(name)
  if r and r.k > now and bears(r) then
    erase(r)
    removed = removed + 1
    if kind == '' then list[removed] = {kind = 'session', realm = realm, id = cjson.decode(r.body).id} end
  end
end
return {removed, more, changes(ARGV[2], nonce, 0, list)}
