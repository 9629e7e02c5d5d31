-- Answers a client at maxmemory: puts replies on its list.
-- KEYS: reply list
-- ARGV: lifetime of the list in ms, replies
-- PEXPIRE comes first: it is allowed at maxmemory, and once a script has written, Redis lets it
-- finish. Who waited for what was queued before Redis was full gets the answer all the same.
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
