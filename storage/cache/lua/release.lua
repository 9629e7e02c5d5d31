-- Ends a claim, unless it is another's by now.
--
-- KEYS: the claim. ARGV[1]: its token.

if redis.call("GET", KEYS[1]) == ARGV[1] then
  return redis.call("DEL", KEYS[1])
end
return 0
