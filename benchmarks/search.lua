-- wrk: each thread walks through the paths in the file PATHS, from a place of its own.
local paths, place = {}, 0
local counter = 0

function setup(thread)
  counter = counter + 1
  thread:set("number", counter)
end

function init()
  for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
  place = number * 37
end

function request()
  place = place % #paths + 1
  return wrk.format("GET", os.getenv("ROUTE") .. paths[place])
end
