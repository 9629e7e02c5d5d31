-- with unique
-- Promotes what is due, then takes the next messages for a consumer that holds none.
-- KEYS: waiting, suspects, delayed, unique
-- ARGV: group, consumer, count
-- Returns {ms until the next delayed message is due or -1, origin, entries, Redis's TIME}.
local waiting, suspects, delayed, unique = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, consumer, count = ARGV[1], ARGV[2], tonumber(ARGV[3])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local moved = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 256)) do
  local crashes, body = string.match(member, '^(%d+) (.*)$')
  redis.call('ZREM', delayed, member) -- first, so that at maxmemory the script may finish
  moved['delayed:' .. member] =
    redis.call('XADD', waiting, '*', 'body', body, 'crashes', crashes)
end
follow(unique, moved)
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local pause = first[2] and math.max(0, tonumber(first[2]) - now) or -1

-- A suspect runs alone: only where no other one is being tried, and without neighbours.
if redis.call('EXISTS', suspects) == 1 and redis.call('XPENDING', suspects, group)[1] == 0 then
  local taken = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1,
    'STREAMS', suspects, '>')
  if taken then return {pause, 'suspects', taken[1][2], time} end
end

local taken = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count,
  'STREAMS', waiting, '>')
return {pause, 'waiting', taken and taken[1][2] or {}, time}
