-- Values that no tag of theirs was invalidated for.
--
-- KEYS: of values. ARGV[1]: what the keys of tags begin with.
-- For each value {frame, milliseconds it has left, tags that were looked at}; nil where there is
-- none; 0 where it was invalidated; -1 where what is there is no value.
-- A value is a line `tag token tag token ...`, and its frame.

local found = {}
for place, key in ipairs(KEYS) do
  local value = redis.pcall("GET", key)
  local line = type(value) == "string" and string.find(value, "\n", 1, true)
  if value == false then
    found[place] = false
  elseif not line then
    found[place] = -1
  else
    local good, tags = true, 0
    for tag, token in string.gmatch(string.sub(value, 1, line - 1), "(%S+) (%S+)") do
      good = good and redis.pcall("GET", ARGV[1] .. tag) == token
      tags = tags + 1
    end
    found[place] = good and {string.sub(value, line + 1), redis.call("PTTL", key), tags} or 0
  end
end
return found
