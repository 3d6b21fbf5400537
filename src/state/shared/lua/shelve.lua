-- Counts an answer that has just been stored, and drops the oldest of its policy until there is room. ARGV: what the keys
-- of answers begin with, the policy and the place (hex), the answer's bytes, for how long it lasts (ms), how many bytes
-- and how many answers there may be.
-- Gives how many were dropped. What has gone by itself meanwhile is counted until it would have ended.

local kind, policy, place = ARGV[1], ARGV[2], ARGV[3]
local bytes, lasts, most_bytes, most = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local order, sizes, total = root .. 'co:' .. policy, root .. 'cb:' .. policy, root .. 'ct:' .. policy
local now = math.floor(server_time() / 1000)

local function raw(hex)
    return (string.gsub(hex, '..', function(pair)
        return string.char(tonumber(pair, 16))
    end))
end

local function forget(member)
    local size = redis.call('HGET', sizes, member)
    redis.call('ZREM', order, member)
    redis.call('HDEL', sizes, member)
    if size then
        redis.call('DECRBY', total, size)
    end
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', order, '-inf', string.format('%.0f', now), 'LIMIT', 0, 100)) do
    forget(member)
end
forget(place)
redis.call('ZADD', order, string.format('%.0f', now + lasts), place)
redis.call('HSET', sizes, place, ARGV[4])
local sum, dropped = redis.call('INCRBY', total, ARGV[4]), 0
while sum > most_bytes or redis.call('ZCARD', order) > most do
    local oldest = redis.call('ZRANGE', order, 0, 0)[1]
    if not oldest or oldest == place then
        break
    end
    redis.call('UNLINK', root .. kind .. raw(policy) .. raw(oldest))
    forget(oldest)
    sum = tonumber(redis.call('GET', total))
    dropped = dropped + 1
end
for _, key in ipairs({order, sizes, total}) do
    redis.call('PEXPIRE', key, string.format('%.0f', lasts))
end
return dropped
