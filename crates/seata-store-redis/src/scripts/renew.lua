-- Prolongs leases. A second run prolongs them again.
-- KEYS: free, leased, then a record for each.
-- ARGV: how long the lease lasts, the digits of final statuses, then gid and token for each.
-- Answers for each: the revision, or an empty text where the lease is lost.

local free, leased = KEYS[1], KEYS[2]
local lasts, finals = tonumber(ARGV[1]), ARGV[2]
local lease_until = whole(now_ms() + lasts)

local function renew(key, gid, token)
  local has = redis.call('HMGET', key, 'k', 'l', 's', 'r', 'q')
  if has[1] ~= token or not has[2] or is_final(has[3], finals) then return '' end
  redis.call('HSET', key, 'l', lease_until)
  if has[5] == 'f' then
    redis.call('ZREM', free, gid)
    redis.call('HSET', key, 'q', 'l')
  end
  if has[5] ~= '' then redis.call('ZADD', leased, lease_until, gid) end
  return has[4]
end

local answers = {}
for i = 3, #KEYS do
  answers[#answers + 1] = renew(KEYS[i], ARGV[2 * i - 3], ARGV[2 * i - 2])
end
return answers
