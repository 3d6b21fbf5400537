-- Forgets how answers to similar questions have fared, and says so to all gateways. ARGV: the policy and the scope (hex; without
-- one, all of the policy's).
--
-- `cf:` has who was forgotten in the last day, by the number of these news: nothing counts any more that was tried before.

local policy, scope = ARGV[1], raw(ARGV[2])
local records, times, grounds = root .. 'cr:' .. policy, root .. 'cw:' .. policy, root .. 'cs:' .. policy
local forgotten = root .. 'cf:' .. policy

if scope == '' then
    redis.call('UNLINK', records, times, grounds, forgotten)
else
    -- Nothing is of two scopes, and there are a few grounds of each.
    for _, ground in ipairs(redis.call('ZRANGEBYLEX', grounds, '[' .. scope, '(' .. scope .. string.rep('\255', 37))) do
        redis.call('HDEL', records, ground)
        redis.call('ZREM', times, ground)
        redis.call('ZREM', grounds, ground)
    end
end
local number = next_number(policy, 'f', DAY)
redis.call('ZADD', forgotten, number, scope == '' and '*' or scope)
redis.call('ZREMRANGEBYSCORE', forgotten, '-inf', whole(tonumber(number) - DAY * 1000))
outlive(forgotten, DAY)
return 1
