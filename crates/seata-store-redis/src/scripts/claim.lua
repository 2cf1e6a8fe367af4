-- Leases out those of the named transactions that are still due. A second run finds them leased and gives none.
-- KEYS: free, leased, then a record for each.
-- ARGV: owner, how long the lease lasts, then a gid for each.
-- Answers for each: all fields of the record, or nothing where somebody else was faster.

local free, leased = KEYS[1], KEYS[2]
local owner, lasts = ARGV[1], tonumber(ARGV[2])
local now = now_ms()
local lease_until = whole(now + lasts)

local function claim(key, gid)
  local has = redis.call('HMGET', key, 'k', 'w', 'q', 'l')
  local token, wake, queued, old_until = has[1], has[2], has[3], has[4]
  if not token then
    redis.call('ZREM', free, gid)
    return false
  end
  if queued ~= 'f' or tonumber(wake) > now then return false end
  if old_until and tonumber(old_until) > now then return false end
  redis.call('HSET', key, 'k', whole(tonumber(token) + 1), 'o', owner, 'l', lease_until, 'q', 'l')
  redis.call('ZREM', free, gid)
  redis.call('ZADD', leased, lease_until, gid)
  return redis.call('HGETALL', key)
end

local answers = {}
for i = 3, #KEYS do
  answers[#answers + 1] = claim(KEYS[i], ARGV[i])
end
return answers
