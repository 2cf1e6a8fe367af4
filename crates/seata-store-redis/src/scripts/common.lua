-- What all scripts share. Times are milliseconds of the server's own clock. Numbers that are written are written as
-- whole ones: Lua would write 1.7e+12.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

local function is_final(status, finals)
  return string.find(finals, status, 1, true) ~= nil
end
