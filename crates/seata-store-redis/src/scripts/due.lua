-- Tells what is due in one partition, earliest first. First puts back among the free what stands there again because
-- its lease has passed: so the order is by wake-up alone.
-- KEYS: free, leased.
-- ARGV: the most leases to put back, the most to tell, what a record's key begins with.
-- Answers how many leases were put back, then gid, wake-up and bytes of history for each.

local free, leased = KEYS[1], KEYS[2]
local moves_max, count, records = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local now = whole(now_ms())

local passed = redis.call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, moves_max)
for _, gid in ipairs(passed) do
  local wake = redis.call('HGET', records .. gid, 'w')
  if wake then
    redis.call('ZADD', free, wake, gid)
    redis.call('HSET', records .. gid, 'q', 'f')
  end
  redis.call('ZREM', leased, gid)
end

local answer = { #passed }
local due = redis.call('ZRANGEBYSCORE', free, '-inf', now, 'WITHSCORES', 'LIMIT', 0, count)
for i = 1, #due, 2 do
  answer[#answer + 1] = due[i]
  answer[#answer + 1] = due[i + 1]
  answer[#answer + 1] = redis.call('HGET', records .. due[i], 'n') or '0'
end
return answer
