-- Removes those of the named transactions that have still ended before the given time. A second run finds none.
-- KEYS: listed, then a record for each.
-- ARGV: the time, the digits of final statuses, then a gid for each.
-- Answers how many were removed.

local listed = KEYS[1]
local before, finals = ARGV[1], ARGV[2]

local removed = 0
for i = 2, #KEYS do
  local key, gid = KEYS[i], ARGV[i + 1]
  local has = redis.call('HMGET', key, 's', 'u')
  if not has[1] then
    redis.call('ZREM', listed, gid)
  elseif is_final(has[1], finals) and is_less_number(has[2], before) then
    redis.call('UNLINK', key)
    redis.call('ZREM', listed, gid)
    removed = removed + 1
  end
end
return removed
