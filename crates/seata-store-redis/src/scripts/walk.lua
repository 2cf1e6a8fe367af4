-- Walks a partition in list order (newest first, then by gid), or against it, from behind a given place. Writes nothing.
-- KEYS: listed.
-- ARGV: `new` or `old` (where it begins), score and gid of the place, the most to read, what a record's key begins with.
-- Answers for each: gid, score, and the fields of the header; these are empty where the record is gone.

local listed = KEYS[1]
local from, score, gid, count, records = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]

-- By bytes, as Redis orders members: Lua's own comparison follows the locale.
local function is_less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Counts what stands before the place; with `passing`, the place itself too.
local function rank(passing)
  local low = redis.call('ZCOUNT', listed, '-inf', '(' .. score)
  local high = redis.call('ZCOUNT', listed, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = redis.call('ZRANGE', listed, middle, middle)[1]
    if is_less(member, gid) or (passing and member == gid) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local found = {}
if from == 'new' then
  local first = rank(true)
  found = redis.call('ZRANGE', listed, first, first + count - 1, 'WITHSCORES')
else
  local last = rank(false) - 1
  if last >= 0 then
    local ascending = redis.call('ZRANGE', listed, math.max(0, last - count + 1), last, 'WITHSCORES')
    for i = #ascending - 1, 1, -2 do
      found[#found + 1] = ascending[i]
      found[#found + 1] = ascending[i + 1]
    end
  end
end

local answers = {}
for i = 1, #found, 2 do
  local fields = redis.call('HMGET', records .. found[i], 'm', 's', 'r', 'k', 'o', 'l', 'w', 'c', 'u')
  answers[#answers + 1] = { found[i], found[i + 1], fields }
end
return answers
