-- Takes from a rate, by the server's clock, in microseconds: the generic cell rate algorithm.
-- ARGV: key, what is asked for as time at the rate, the rate's period.
-- Gives a word, for how long the key is busy, and how long to wait.

local key, worth, period = root .. 'w:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = server_time()
local due = math.max(tonumber(redis.call('GET', key) or '0'), now)
if worth > period then
    return {'never', due - now, 0}
end
local busy = due + worth - now
if busy > period then
    return {'wait', due - now, busy - period}
end
redis.call('SET', key, string.format('%.0f', due + worth), 'PX', math.ceil(busy / 1000) + 1)
return {'ok', busy, 0}
