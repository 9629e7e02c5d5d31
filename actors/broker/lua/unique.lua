-- At most one undelivered message of a name in its queue. Other scripts begin with this text.
-- The hash `unique` keeps for each name where its last message was put: the id of its entry in
-- the waiting stream, or "delayed:" and its member of the sorted set.

-- When the undelivered message of a name is due (Unix ms; 0 = it waits) and, if it is delayed,
-- its member; nil where none is left undelivered.
local function undelivered(unique, name, waiting, delayed, group)
  local place = redis.call('HGET', unique, name)
  if not place then return nil end
  if string.sub(place, 1, 8) == 'delayed:' then
    local member = string.sub(place, 9)
    local due = redis.call('ZSCORE', delayed, member)
    if due then return tonumber(due), member end
    return nil
  end
  if #redis.call('XRANGE', waiting, place, place) == 0 then return nil end
  -- What ends leaves the stream in the same step: an entry that is not pending was never delivered.
  local pending = redis.pcall('XPENDING', waiting, group, place, place, 1)
  if pending.err or #pending == 0 then return 0 end
  return nil
end

-- Keeps track of unique messages among those that went from one place to another undelivered.
local function follow(unique, moved)
  if not next(moved) or redis.call('EXISTS', unique) == 0 then return end
  local places = redis.call('HGETALL', unique)
  for i = 1, #places, 2 do
    local to = moved[places[i + 1]]
    if to then redis.call('HSET', unique, places[i], to) end
  end
end
