-- Puts a message in its queue in one step: at once, later, or only if its like is not waiting.
-- KEYS: waiting, delayed
-- ARGV: body, delay in ms (0 = at once), group, unique ("1" = at most one undelivered message)
-- Returns 1, or 0 where an undelivered message already stands for this one.
local waiting, delayed = KEYS[1], KEYS[2]
local body, delay, group, unique = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]

-- Undelivered = after the group's last delivered id. Wake markers don't count as messages.
local function has_undelivered()
  local groups = redis.pcall('XINFO', 'GROUPS', waiting)
  if groups.err then return false end
  local after = '-'
  for _, info in ipairs(groups) do
    local fields = {}
    for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
    if fields['name'] == group then after = '(' .. fields['last-delivered-id'] end
  end
  for _, entry in ipairs(redis.call('XRANGE', waiting, after, '+', 'COUNT', 16)) do
    if entry[2][1] == 'body' then return true end
  end
  return false
end

if unique == '1' and has_undelivered() then return 0 end
if delay <= 0 then
  redis.call('XADD', waiting, '*', 'body', body, 'crashes', '0')
  return 1
end

local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + delay
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
redis.call('ZADD', delayed, due, '0 ' .. body)
-- Readers block no longer than until the first due message: a new first one must wake one.
if not first[2] or due < tonumber(first[2]) then
  redis.call('XADD', waiting, '*', 'wake', '1')
end
return 1
