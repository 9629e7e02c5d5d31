-- The tokens that tags have now, "" where one can't be had.
--
-- KEYS: of tags. ARGV[1]: a token for those that have none.
-- A token is new whenever its tag is: a tag that was evicted ends its values, as one that was
-- invalidated does. That would not hold for a counter, which would begin anew.

local tokens = {}
for place, key in ipairs(KEYS) do
  local token = redis.pcall("GET", key)
  if token == false then
    token = redis.pcall("SET", key, ARGV[1]).ok and ARGV[1]
  end
  tokens[place] = type(token) == "string" and token or ""
end
return tokens
