-- Takes a place, for as long as it is renewed. ARGV: key, who, how many places there are, for how long (ms).
-- Gives 1 if there was one.

local key, who, count, lease = root .. 'p:' .. ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = math.floor(server_time() / 1000)
redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
if not redis.call('ZSCORE', key, who) and redis.call('ZCARD', key) >= count then
    return 0
end
redis.call('ZADD', key, string.format('%.0f', now + lease), who)
redis.call('PEXPIRE', key, lease * 2)
return 1
