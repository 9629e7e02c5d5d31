-- with messages
-- What a queue holds, as of one moment. Changes nothing.
-- KEYS: waiting, suspects, delayed, dead, rules, counts
-- ARGV: group, alive prefix
-- Returns {Redis's TIME, messages in waiting, in hand of them, messages in suspects, in hand of
-- them, delayed, dead, time of the oldest message's entry or -1, due time of the first delayed
-- one or -1 (both Unix ms), consumers alive, paused or '', limit or '', the hash of counts}.
local waiting, suspects, delayed, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local rules, counts = KEYS[5], KEYS[6]
local group, alive = ARGV[1], ARGV[2]

local function in_hand(stream)
  local pending = redis.pcall('XPENDING', stream, group)
  return pending.err and 0 or pending[1]
end

local oldest = -1
for _, stream in ipairs({waiting, suspects}) do
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', 16)) do
    if entry[2][1] == 'body' then
      local at = tonumber(string.match(entry[1], '^%d+'))
      if oldest < 0 or at < oldest then oldest = at end
      break
    end
  end
end

local living = 0
local consumers = redis.pcall('XINFO', 'CONSUMERS', waiting, group)
if consumers.err then consumers = {} end
for _, info in ipairs(consumers) do
  for i = 1, #info, 2 do
    if info[i] == 'name' then living = living + redis.call('EXISTS', alive .. info[i + 1]) end
  end
end

local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local ruled = redis.call('HMGET', rules, 'paused', 'limit')
return {
  redis.call('TIME'), messages(waiting), in_hand(waiting), messages(suspects), in_hand(suspects),
  redis.call('ZCARD', delayed), redis.call('XLEN', dead),
  oldest, first[2] and tonumber(first[2]) or -1,
  living, ruled[1] or '', ruled[2] or '', redis.call('HGETALL', counts),
}
