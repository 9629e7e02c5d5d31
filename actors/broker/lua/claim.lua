-- Takes the messages of consumers whose heartbeat has ended, and forgets those consumers.
-- KEYS: waiting, suspects, dead, rules, signal, counts
-- ARGV: group, alive prefix, crashes that make poison, most messages to move, who claims
-- A message found under a dead consumer becomes a suspect. Only a crash while it was tried as a
-- suspect, alone, counts against it; the names of all that died under it stay with it.
-- Returns {suspects made, poison found, consumers forgotten}.
local waiting, suspects, dead = KEYS[1], KEYS[2], KEYS[3]
local rules, signal, counts = KEYS[4], KEYS[5], KEYS[6]
local group, alive, limit, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local claimer = ARGV[5]
local made, poison, forgotten = 0, 0, 0

-- As every dead letter's: attempts, deliveries, worker, at. Options that can't be read are none.
local function report(body, crashes, workers)
  local read, message = pcall(cjson.decode, body)
  local options = read and type(message) == 'table' and message.options
  if type(options) ~= 'table' then options = {} end
  local attempts = options.attempts
  -- An empty list has to be written by hand: cjson would write {}.
  attempts = type(attempts) == 'table' and #attempts > 0 and cjson.encode(attempts) or '[]'
  local time = redis.call('TIME')
  local rest = cjson.encode({
    crashes = crashes,
    workers = workers,
    deliveries = (tonumber(options.deliveries) or 0) + #workers,
    worker = claimer,
    at = time[1] * 1000 + math.floor(time[2] / 1000),
  })
  return '{"attempts":' .. attempts .. ',' .. string.sub(rest, 2)
end

local function take(stream, id, consumer)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  redis.call('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
  if not entry or entry[2][1] ~= 'body' then return end -- a wake marker: nothing to keep
  local body, crashes, workers = entry[2][2], tonumber(entry[2][4]) or 0, {}
  if entry[2][6] then workers = cjson.decode(entry[2][6]) end
  workers[#workers + 1] = consumer
  if stream == suspects then crashes = crashes + 1 end
  if crashes >= limit then
    redis.call('XADD', dead, '*', 'body', body, 'reason', 'poison',
      'report', report(body, crashes, workers))
    poison = poison + 1
  else
    redis.call('XADD', suspects, '*', 'body', body, 'crashes', crashes,
      'workers', cjson.encode(workers))
    made = made + 1
  end
end

for _, stream in ipairs({waiting, suspects}) do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
  if consumers.err then consumers = {} end
  for _, info in ipairs(consumers) do
    local fields = {}
    for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
    local name = fields['name']
    if redis.call('EXISTS', alive .. name) == 0 then
      local room = most - made - poison
      if fields['pending'] > 0 and room > 0 then
        for _, pending in ipairs(redis.call('XPENDING', stream, group, '-', '+', room, name)) do
          take(stream, pending[1], name)
        end
      end
      -- XGROUP DELCONSUMER discards what is pending: only where nothing is.
      if #redis.call('XPENDING', stream, group, '-', '+', 1, name) == 0 then
        redis.call('XGROUP', 'DELCONSUMER', stream, group, name)
        forgotten = forgotten + 1
      end
    end
  end
end

if made > 0 then redis.call('XADD', waiting, '*', 'wake', '1') end
if poison > 0 then redis.call('HINCRBY', counts, 'dead', poison) end
if made + poison > 0 and redis.call('HEXISTS', rules, 'limit') == 1 then
  redis.call('XADD', signal, 'MAXLEN', 1, '*', 'freed', made + poison)
end
return {made, poison, forgotten}
