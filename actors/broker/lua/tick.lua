-- with unique
-- Enqueues a periodic message, if its tick is later than the last one that was enqueued: any
-- number of processes may call it at every tick.
-- KEYS: waiting, delayed, unique, ticks
-- ARGV: name, tick (Unix ms), body, group, name of its like ("at most one undelivered")
-- Returns {what was done, Redis's TIME}:
--   1   enqueued
--   0   this tick was fired before, or its like still waits undelivered
--   -1  this tick is not due yet: the caller's idea of the time is ahead
local waiting, delayed, unique, ticks = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local name, tick, body, group, like = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tick > now then return {-1, time} end
-- No tick is fired early, so one in the future means that the clock was set back. Waiting for it
-- to come again could silence the schedule for hours: go on from here.
local last = tonumber(redis.call('HGET', ticks, name) or '0')
if last <= now and tick <= last then return {0, time} end

local fired = 0
if not undelivered(unique, like, waiting, delayed, group) then
  local id = redis.call('XADD', waiting, '*', 'body', body, 'crashes', '0')
  redis.call('HSET', unique, like, id)
  fired = 1
end
-- An integer: Lua would write it as 1.7e+12.
redis.call('HSET', ticks, name, ARGV[2])
return {fired, time}
