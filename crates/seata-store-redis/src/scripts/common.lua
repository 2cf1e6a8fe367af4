-- What all scripts share. Times are milliseconds of the server's own clock. Numbers that are written are written as
-- whole ones: Lua would write 1.7e+12.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

-- Compares whole numbers exactly: beyond 2^53 numbers of Lua run together, their digits do not.
local function is_less_number(a, b)
  local x, y = tonumber(a), tonumber(b)
  if x ~= y or a == b then return x < y end
  if #a ~= #b then return (#a < #b) == (x > 0) end
  for i = 1, #a do
    local p, q = string.byte(a, i), string.byte(b, i)
    if p ~= q then return (p < q) == (x > 0) end
  end
end

local function is_final(status, finals)
  return string.find(finals, status, 1, true) ~= nil
end
