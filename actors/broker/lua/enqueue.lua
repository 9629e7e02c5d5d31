-- with unique
-- Puts a message in its queue in one step: at once or later; only if its token is new, and only
-- if its like is not waiting.
-- KEYS: waiting, delayed, unique, once (the key of this token)
-- ARGV: body, delay in ms (0 = at once), group, name ('' = not unique),
--       lifetime of the token in ms (0 = no token)
-- Returns 1, or 0 where the token came before or an undelivered message stands for this one.
-- A unique message that is due earlier than its like takes that one's place.
local waiting, delayed, unique, once = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local body, delay, group = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local name, lifetime = ARGV[4], tonumber(ARGV[5])

-- The first write: at maxmemory it is refused, and nothing else is done.
if lifetime > 0 and not redis.call('SET', once, '1', 'NX', 'PX', lifetime) then return 0 end

local due = 0
if delay > 0 then
  local time = redis.call('TIME')
  due = time[1] * 1000 + math.floor(time[2] / 1000) + delay
end
if name ~= '' then
  local standing, member = undelivered(unique, name, waiting, delayed, group)
  if standing and standing <= due then return 0 end
  if member then redis.call('ZREM', delayed, member) end
end

local place
if due == 0 then
  place = redis.call('XADD', waiting, '*', 'body', body, 'crashes', '0')
else
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  redis.call('ZADD', delayed, due, '0 ' .. body)
  -- Readers block no longer than until the first due message: a new first one must wake one.
  if not first[2] or due < tonumber(first[2]) then
    redis.call('XADD', waiting, '*', 'wake', '1')
  end
  place = 'delayed:0 ' .. body
end
if name ~= '' then redis.call('HSET', unique, name, place) end
return 1
