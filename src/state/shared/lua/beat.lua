-- Says that a gateway is alive, and books the holds of those that are not.
-- ARGV: gateway, how long it is believed in (ms), how many holds to book at most.
-- Gives how many gateways are alive, and how many holds were booked.

local gateway, belief, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = math.floor(server_time() / 1000)
local gateways = root .. 'gateways'
local function score(time)
    return string.format('%.0f', time)
end

-- If nobody has been heard of, it was the store that was away, and the others get their time to come back.
local last = tonumber(redis.call('GET', root .. 'beat') or now)
if now - last > belief / 2 then
    for _, other in ipairs(redis.call('ZRANGE', gateways, 0, -1)) do
        redis.call('ZADD', gateways, 'XX', score(now + belief), other)
    end
end
redis.call('SET', root .. 'beat', score(now))
redis.call('ZADD', gateways, score(now + belief), gateway)

local booked = 0
local gone = redis.call('ZRANGEBYSCORE', gateways, '-inf', score(now), 'LIMIT', 0, 1)[1]
if gone then
    local holds = root .. 'g:' .. gone
    for _, id in ipairs(redis.call('SRANDMEMBER', holds, most)) do
        if assume(id, 'gone') then
            booked = booked + 1
        end
        redis.call('SREM', holds, id)
    end
    if redis.call('EXISTS', holds) == 0 then
        redis.call('ZREM', gateways, gone)
    end
end
return {redis.call('ZCOUNT', gateways, score(now), '+inf'), booked}
