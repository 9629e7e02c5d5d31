-- Keeps values, each under the tokens that its tags have.
--
-- KEYS: of values. ARGV: what the keys of tags begin with; milliseconds to keep them; a token for
-- tags that have none; then for each value its frame, the number of its tags, and for each of those
-- its name and the token it had when the value's computation began ("": that is now).
-- For each value 1: it is kept; 0: a tag was invalidated since; -1: there is no room for it.

local kept, old, at = {}, {}, 4
for place, key in ipairs(KEYS) do
  local frame, tags, result, line = ARGV[at], tonumber(ARGV[at + 1]), 1, {}
  at = at + 2
  for _ = 1, tags do
    local tag, token = ARGV[at], ARGV[at + 1]
    local now = redis.pcall("GET", ARGV[1] .. tag)
    if now == false and token == "" then
      now = redis.pcall("SET", ARGV[1] .. tag, ARGV[3]).ok and ARGV[3]
    end
    if token ~= "" and now ~= token then
      result = 0
    elseif type(now) ~= "string" then
      result = -1
    end
    line[#line + 1] = tag .. " " .. tostring(now)
    at = at + 2
  end
  if result == 1 then
    local value = table.concat(line, " ") .. "\n" .. frame
    local done = redis.pcall("SET", key, value, "PX", ARGV[2])
    result = done.ok and 1 or -1
    if not done.ok then
      old[#old + 1] = key
    end
  end
  kept[place] = result
end
-- What should have been replaced. Last: after a command that writes, no other is refused for room.
for _, key in ipairs(old) do
  redis.pcall("DEL", key)
end
return kept
