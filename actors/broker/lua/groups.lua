-- Makes the consumer group of a queue's streams where it is missing.
-- KEYS: waiting, suspects
-- ARGV: group
-- XACK comes first and changes nothing: it is allowed at maxmemory, and once a script has
-- written, Redis lets it finish. A full queue that nobody could read would stay full.
for _, stream in ipairs(KEYS) do
  redis.call('XACK', stream, ARGV[1], '0-0')
  local made = redis.pcall('XGROUP', 'CREATE', stream, ARGV[1], '0', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
end
return 1
