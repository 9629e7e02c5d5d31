-- with unique
-- Promotes what is due, then takes the next messages for a consumer that holds none, as far as
-- the queue's rules let it.
-- KEYS: waiting, suspects, delayed, unique, rules, signal
-- ARGV: group, consumer, count
-- Returns {ms until the next delayed message is due or -1, origin, entries, Redis's TIME}, and
-- where the origin is "paused" or "full" also the last id of the signal stream, to wait behind.
local waiting, suspects, delayed = KEYS[1], KEYS[2], KEYS[3]
local unique, rules, signal = KEYS[4], KEYS[5], KEYS[6]
local group, consumer, count = ARGV[1], ARGV[2], tonumber(ARGV[3])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function barred(why)
  local last = redis.call('XREVRANGE', signal, '+', '-', 'COUNT', 1)[1]
  return {-1, why, {}, time, last and last[1] or '0-0'}
end

local ruled = redis.call('HMGET', rules, 'paused', 'limit')
if ruled[1] then return barred('paused') end
local room = false -- false: any number
if ruled[2] then
  room = tonumber(ruled[2]) - redis.call('XPENDING', waiting, group)[1]
    - redis.call('XPENDING', suspects, group)[1]
  if room <= 0 then return barred('full') end
  count = math.min(count, room)
end

local function promote()
  local moved = {}
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 256)) do
    local crashes, body = string.match(member, '^(%d+) (.*)$')
    redis.call('ZREM', delayed, member) -- first, so that at maxmemory the script may finish
    moved['delayed:' .. member] =
      redis.call('XADD', waiting, '*', 'body', body, 'crashes', crashes)
  end
  follow(unique, moved)
end

local function first_due()
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2])
end

local due = first_due()
if due and due <= now then
  promote()
  due = first_due()
end
local pause = due and math.max(0, due - now) or -1

-- Whoever waits for a slot may have one; those that this wakes go on from there.
local function answer(origin, entries)
  if room and room > #entries then
    redis.call('XADD', signal, 'MAXLEN', 1, '*', 'room', room - #entries)
  end
  return {pause, origin, entries, time}
end

-- A suspect runs alone: only where no other one is being tried, and without neighbours.
if redis.call('XLEN', suspects) > 0 and redis.call('XPENDING', suspects, group)[1] == 0 then
  local taken = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1,
    'STREAMS', suspects, '>')
  if taken then return answer('suspects', taken[1][2]) end
end

local messages = {}
repeat
  local taken = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count,
    'STREAMS', waiting, '>')
  for _, entry in ipairs(taken and taken[1][2] or {}) do
    if entry[2][1] == 'wake' then -- a marker: it has done its work
      redis.call('XACK', waiting, group, entry[1])
      redis.call('XDEL', waiting, entry[1])
    else
      messages[#messages + 1] = entry
    end
  end
until messages[1] or not taken
return answer('waiting', messages)
