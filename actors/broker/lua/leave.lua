-- Ends a consumer's heartbeat and forgets it where nothing is pending under it.
-- KEYS: waiting, suspects, alive
-- ARGV: group, consumer
-- XGROUP DELCONSUMER discards what is pending, so whoever still holds something is left to the
-- janitor.
redis.call('DEL', KEYS[3])
for _, stream in ipairs({KEYS[1], KEYS[2]}) do
  local pending = redis.pcall('XPENDING', stream, ARGV[1], '-', '+', 1, ARGV[2])
  if not pending.err and #pending == 0 then
    redis.call('XGROUP', 'DELCONSUMER', stream, ARGV[1], ARGV[2])
  end
end
return 1
