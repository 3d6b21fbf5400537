-- A plugin's values and numbers. ARGV: what to do, the scope, the key, how many keys there may be, for how long (ms; 0 for
-- ever), the value or what to add.
-- Gives the value or nothing for `get`, the sum or `full` for `add`, `ok` or `full` for the others.

local what, scope, most, lasts, with = ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local value, count = root .. 'kv:' .. scope .. 'v' .. ARGV[3], root .. 'kn:' .. scope .. 'n' .. ARGV[3]
local keys = root .. 'ks:' .. scope
local now = math.floor(server_time() / 1000)

if what == 'get' then
    return redis.call('GET', value)
end
if what == 'delete' then
    redis.call('DEL', value, count)
    redis.call('ZREM', keys, value, count)
    return 'ok'
end

local key = what == 'set' and value or count
local is_new = redis.call('EXISTS', key) == 0
if is_new then
    redis.call('ZREMRANGEBYSCORE', keys, '-inf', string.format('%.0f', now))
    if redis.call('ZCARD', keys) >= most then
        return 'full'
    end
end
if what == 'set' then
    redis.call('SET', key, with)
else
    -- Numbers of scripts are not exact; the server's own are, and it says when one would not fit.
    local sum = redis.pcall('INCRBY', key, with)
    if type(sum) == 'table' and sum.err then
        redis.call('SET', key, string.sub(with, 1, 1) == '-' and '-9223372036854775808' or '9223372036854775807', 'KEEPTTL')
    end
end
if what == 'set' or is_new then
    if lasts > 0 then
        redis.call('PEXPIRE', key, string.format('%.0f', lasts))
        redis.call('ZADD', keys, string.format('%.0f', now + lasts), key)
    else
        redis.call('ZADD', keys, '+inf', key)
    end
end
return what == 'set' and 'ok' or redis.call('GET', key)
