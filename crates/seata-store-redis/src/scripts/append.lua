-- Judges and applies appends, as `Append::judge` does, each by itself and one after another. A second run finds what the
-- first one wrote and answers Stale or Exists.
-- KEYS: free, leased, listed of each partition, then a record for each append.
-- ARGV: the most bytes of a history, the digits of final statuses, how many partitions; then for each append which of them
-- it belongs to, from 0, and twelve more.
-- Answers for each: A<revision>, S(tale), F(enced), E(nded), L(arge), C(orrupt) and why, or all fields of the record that
-- exists; B(usy) where those told already have as many bytes as a record may have, for others wait for this script.

local bytes_max, finals, partitions = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local now = now_ms()
local told_bytes = 0

local function drop_chunks(key)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, 1) == 'e' then
      redis.call('HDEL', key, field)
    end
  end
end

-- Keeps the wake-up where it belongs: among the leased by the lease's end, else among the free by its time. The sets of
-- the partition come behind this place among the keys.
local function queue(place, gid, from, to, score, moved)
  local free, leased = KEYS[place + 1], KEYS[place + 2]
  if from == 'f' and to ~= 'f' then redis.call('ZREM', free, gid) end
  if from == 'l' and to ~= 'l' then redis.call('ZREM', leased, gid) end
  if to ~= '' and (from ~= to or moved) then
    redis.call('ZADD', to == 'f' and free or leased, score, gid)
  end
end

local function apply(key, at)
  local place = ARGV[at] * 3
  at = at + 1
  local gid, mode, status = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local expected_revision, expected_token = ARGV[at + 3], ARGV[at + 4]
  local wake, lease, owner, lasts = ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], ARGV[at + 8]
  local decided, size, chunk = ARGV[at + 9], ARGV[at + 10], ARGV[at + 11]

  local has = redis.call('HMGET', key, 's', 'r', 'k', 'o', 'l', 'u', 'n', 'q', 'w', 'm')
  local old_status, revision, token, old_owner, old_until = has[1], has[2], has[3], has[4], has[5]
  if expected_revision == '' then
    if old_status then
      local bytes = tonumber(has[7] or '0')
      if told_bytes > 0 and told_bytes + bytes > bytes_max then return 'B' end
      told_bytes = told_bytes + bytes
      return redis.call('HGETALL', key)
    end
  else
    if not old_status then return 'S' end
    if token ~= expected_token then return 'F' end
    if revision ~= expected_revision then return 'S' end
    local held = old_until and tonumber(old_until) > now
    if string.sub(lease, 1, 1) == 't' and held and old_owner ~= owner then return 'F' end
    if is_final(old_status, finals) then return 'E' end
  end

  local swaps = string.sub(lease, 2, 2) == 'r'
  lease = string.sub(lease, 1, 1)
  local bytes = (swaps and 0 or tonumber(has[7] or '0')) + tonumber(size)
  if bytes > bytes_max then return 'L' end

  local lease_until = old_until
  token = token or '0'
  if lease == 't' then
    token = whole(tonumber(token) + 1)
    lease_until = whole(now + tonumber(lasts))
  elseif lease == 'n' then
    lease_until = false
  end
  revision = whole(tonumber(revision or '0') + 1)
  local updated = decided
  if has[6] and is_less_number(decided, has[6]) then updated = has[6] end

  local to = ''
  if wake ~= '' and not is_final(status, finals) then to = lease_until and 'l' or 'f' end

  -- What stays as it is isn't written, nor logged.
  local fields = { 'r', revision }
  local function put(name, value, old)
    if value ~= old then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  put('m', mode, has[10])
  put('s', status, old_status)
  put('k', token, has[3])
  put('u', updated, has[6])
  put('n', whole(bytes), has[7])
  put('q', to, has[8])
  if not old_status then put('c', decided) end
  if lease == 't' then put('o', owner, old_owner) end
  if lease_until then put('l', lease_until, old_until) end
  if wake ~= '' then put('w', wake, has[9]) end
  if size ~= '0' then put('e' .. revision, chunk) end

  if swaps then drop_chunks(key) end
  redis.call('HSET', key, unpack(fields))
  local frees, sleeps = old_until and not lease_until, has[9] and wake == ''
  if frees and sleeps then
    redis.call('HDEL', key, 'l', 'w')
  elseif frees then
    redis.call('HDEL', key, 'l')
  elseif sleeps then
    redis.call('HDEL', key, 'w')
  end
  if not old_status then
    redis.call('ZADD', KEYS[place + 3], whole(0 - tonumber(decided)), gid)
  end
  if to == 'l' then
    queue(place, gid, has[8], to, lease_until, lease_until ~= old_until)
  else
    queue(place, gid, has[8], to, wake, wake ~= has[9])
  end
  return 'A' .. revision
end

-- A record that can't be read fails its own append only: its fields are read before anything is written. What the
-- server refuses for reasons of its own (memory, disk, its role) it refuses before the first write of the script, and
-- then the script ends with that.
local function attempt(key, at)
  local ok, answer = pcall(apply, key, at)
  if ok then return answer end
  local why = type(answer) == 'table' and answer.err or answer
  if string.find(why, '^%-?%u+ ') and not string.find(why, '^%-?WRONGTYPE') then
    return nil, redis.error_reply(why)
  end
  return 'C' .. why
end

local answers = {}
local first = partitions * 3 + 1
for i = first, #KEYS do
  local answer, refusal = attempt(KEYS[i], 4 + (i - first) * 13)
  if refusal then return refusal end
  answers[#answers + 1] = answer
end
return answers
