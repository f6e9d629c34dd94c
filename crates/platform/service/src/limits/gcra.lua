-- Charges one request to several limits, all or nothing.
-- KEYS: for each limit, where the moment is kept at which its burst is full again, in microseconds since 1970.
-- ARGV: for each limit, the microseconds that a request costs, and those of a whole burst.
-- Returns 1 or 0, and for each limit the microseconds until its burst is full again.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local admitted, answer = 1, {}

local function keep(key, debt)
  redis.call('SET', key, string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))
end

for i, key in ipairs(KEYS) do
  local cost, capacity = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local held = redis.pcall('GET', key)
  -- What is no moment counts as none. It may be of another type.
  local full = type(held) == 'string' and tonumber(held) or now
  local debt = full > now and math.ceil(full - now) or 0
  if debt > capacity then
    -- The limit was higher, or the clock was ahead: no one waits for that.
    debt = capacity
    keep(key, debt)
  end
  if debt + cost > capacity then admitted = 0 end
  answer[i] = debt
end

if admitted == 1 then
  for i, key in ipairs(KEYS) do
    answer[i] = answer[i] + tonumber(ARGV[2 * i - 1])
    keep(key, answer[i])
  end
end
return {admitted, unpack(answer)}
