-- The barrier around a participant's work. KEYS[1]: the branch's claims, a hash of operation -> who claimed it.
-- ARGV: the operation, what it undoes or '', how long claims are kept in ms. The rest of both belongs to the work.
local work = function(KEYS, ARGV)
--WORK--
end

local claims, own, undone, keep = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

local function claim(operation)
  redis.call('HSET', claims, operation, own)
  redis.call('PEXPIRE', claims, keep)
end

-- A script runs alone, so nothing can come between this look and the claim.
local claimed_by = redis.call('HGET', claims, own)
if claimed_by == own then return {'duplicate'} end
if claimed_by then return {'hanging'} end
if undone ~= '' and redis.call('HGET', claims, undone) ~= undone then
  claim(undone)
  claim(own)
  return {'null'}
end

local keys, arguments = {}, {}
for i = 2, #KEYS do keys[i - 1] = KEYS[i] end
for i = 4, #ARGV do arguments[i - 3] = ARGV[i] end
local answer = work(keys, arguments)
-- A refusal did nothing and claims nothing. Neither does work that raises an error: that ends the script.
if type(answer) == 'table' and answer.err then return {'refused', answer.err} end
claim(own)
return {'done', answer}
