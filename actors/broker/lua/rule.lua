-- with messages
-- Rules for a queue, or takes a rule back; wakes the readers that may go on.
-- KEYS: rules, signal, waiting, suspects, delayed
-- ARGV: field, value ('' = take it back), who,
--       on condition: '' = none, 'drained' = no message waits or is in hand,
--       'empty' = none is delayed either
-- Returns 1, or 0 where the condition did not hold.
local rules, signal, waiting, suspects, delayed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local field, value, who, condition = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if condition ~= '' and messages(waiting) + messages(suspects) > 0 then return 0 end
if condition == 'empty' and redis.call('ZCARD', delayed) > 0 then return 0 end

-- HDEL comes first: it is allowed at maxmemory, and once a script has written, Redis lets it
-- finish.
redis.call('HDEL', rules, field)
if value ~= '' then redis.call('HSET', rules, field, value) end
redis.call('XADD', signal, 'MAXLEN', 1, '*', field, value, 'by', who)
return 1
