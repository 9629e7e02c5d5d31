-- with unique
-- Ends deliveries: each message leaves its pending list and arrives at its next place in one step.
-- KEYS: waiting, suspects, delayed, dead, receipt, unique, rules, signal, counts
-- ARGV: group, consumer, token, receipt lifetime in ms,
--       "1" where the consumer takes new messages in the same write,
--       "1" where the token may have come before, then five per message:
--       origin ("waiting"|"suspects"), entry id, verdict, argument, body
--   verdict   argument          next place
--   done      -                 none
--   retry     delay in ms       delayed (the body carries its new attempt count)
--   release   -                 where it came from, every field as it was; nothing is counted
--   dead      reason, report    dead; argument is "reason report"
-- Returns one word per message: "done", or "lost" where the delivery is no longer this consumer's.
-- Where no new ones are taken, "paused" stands after them if the queue is: what was taken with
-- these is not to be begun.
-- The same token again (the first answer was lost on its way) returns the first words.
local waiting, suspects, delayed, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local receipt, unique, rules, signal, counts = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local group, consumer, token, lifetime = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local takes, again = ARGV[5] == '1', ARGV[6] == '1'
local FIRST = 7 -- of the arguments that tell of messages
local MANY = 100000 -- more than a consumer holds

-- Where new ones are taken, next.lua, in the same write, tells of the rules and of free slots.
local ruled = takes and {} or redis.call('HMGET', rules, 'paused', 'limit')
local kept = again and redis.call('GET', receipt)
if kept and string.sub(kept, 1, #token + 1) == token .. ' ' then
  local answer = {}
  for word in string.gmatch(string.sub(kept, #token + 2), '%a+') do
    answer[#answer + 1] = word
  end
  if ruled[1] then answer[#answer + 1] = 'paused' end
  return answer
end

local function stream_of(i) return ARGV[i] == 'suspects' and suspects or waiting end

local asked = {[waiting] = {}, [suspects] = {}}
for i = FIRST, #ARGV, 5 do table.insert(asked[stream_of(i)], ARGV[i + 1]) end

-- Which of these this consumer holds: asked for at once, as one by one costs thrice as much.
local function held(stream, ids)
  local found = {}
  if not ids[1] then return found end
  local first, last = '-', '+'
  if not ids[2] then first, last = ids[1], ids[1] end -- this is quicker still
  local pending = redis.pcall('XPENDING', stream, group, first, last, MANY, consumer)
  if pending.err then return found end -- the stream was deleted under us
  for _, one in ipairs(pending) do found[one[1]] = true end
  return found
end

local owned = {
  [waiting] = held(waiting, asked[waiting]),
  [suspects] = held(suspects, asked[suspects]),
}
local leaving = {[waiting] = {}, [suspects] = {}}
local released = {}
for i = FIRST, #ARGV, 5 do
  local stream, id = stream_of(i), ARGV[i + 1]
  if owned[stream][id] then
    table.insert(leaving[stream], id)
    if ARGV[i + 2] == 'release' then
      released[id] = redis.call('XRANGE', stream, id, id)[1]
    end
  end
end

-- Leaving comes first: XACK and XDEL are allowed at maxmemory, and once a script has written,
-- Redis lets it finish.
for stream, ids in pairs(leaving) do
  if ids[1] then
    redis.call('XACK', stream, group, unpack(ids))
    redis.call('XDEL', stream, unpack(ids))
  end
end

local answer, settled, wake = {}, false, false
local moved, ended = {}, {}
for i = FIRST, #ARGV, 5 do
  local stream, id = stream_of(i), ARGV[i + 1]
  local verdict, argument, body = ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  if not owned[stream][id] then
    answer[#answer + 1] = 'lost'
  else
    if verdict == 'retry' then
      local time = redis.call('TIME')
      local due = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(argument)
      local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
      redis.call('ZADD', delayed, due, '0 ' .. body)
      wake = wake or not first[2] or due < tonumber(first[2])
    elseif released[id] then
      moved[id] = redis.call('XADD', stream, '*', unpack(released[id][2]))
      wake = wake or stream == suspects -- readers block on waiting alone
    elseif verdict == 'dead' then
      local reason, report = string.match(argument, '^(%S+) (.*)$')
      redis.call('XADD', dead, '*', 'body', body, 'reason', reason, 'report', report)
    end
    answer[#answer + 1], settled = 'done', true
    ended[verdict] = (ended[verdict] or 0) + 1
  end
end

follow(unique, moved)
if wake then redis.call('XADD', waiting, '*', 'wake', '1') end
if settled then
  redis.call('SET', receipt, token .. ' ' .. table.concat(answer, ' '), 'PX', lifetime)
  for verdict, count in pairs(ended) do redis.call('HINCRBY', counts, verdict, count) end
end
if settled and ruled[2] then redis.call('XADD', signal, 'MAXLEN', 1, '*', 'freed', 1) end
if ruled[1] then answer[#answer + 1] = 'paused' end
return answer
