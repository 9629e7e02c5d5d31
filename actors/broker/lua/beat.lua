-- Shows that a consumer is alive.
-- KEYS: alive
-- ARGV: lifetime in ms
-- DEL comes first: it is allowed at maxmemory, and once a script has written, Redis lets it
-- finish. A full queue must not make its workers look dead.
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1
