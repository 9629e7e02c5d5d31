-- How many messages a stream holds, delivered or not. Other scripts begin with this text.
-- A few wake markers may stand among them: they are left out where the stream is short.
local function messages(stream)
  local length = redis.call('XLEN', stream)
  if length > 16 then return length end
  local count = 0
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do
    if entry[2][1] == 'body' then count = count + 1 end
  end
  return count
end
