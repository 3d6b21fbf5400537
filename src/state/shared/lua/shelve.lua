-- Counts an answer that has just been stored, and drops the oldest of its policy until there is room. ARGV: the version of
-- what is kept, the policy and the place (hex), the answer's bytes, for how long it lasts (ms), how many bytes and how many
-- answers there may be; and where its question lies, as it is to be kept. Without that it has the question that it had.
-- Gives how many were dropped. What has gone by itself meanwhile is counted until it would have ended.
--
-- Where a question lies ends when its answer does, and is dropped when that is. `cq:` has the numbers of the policy's questions;
-- there are never more of them than answers are counted.

local version, policy, place = ARGV[1], ARGV[2], ARGV[3]
local bytes, lasts, most_bytes, most = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local bearing = ARGV[8]
local order, sizes, total = root .. 'co:' .. policy, root .. 'cb:' .. policy, root .. 'ct:' .. policy
local questions = root .. 'cq:' .. policy
local now = math.floor(server_time() / 1000)
local AT_ONCE = 100

local function key(kind, member)
    return root .. kind .. version .. ':' .. raw(policy) .. member
end

local function uncount(member)
    local size = redis.call('HGET', sizes, member)
    redis.call('ZREM', order, member)
    redis.call('HDEL', sizes, member)
    if size then
        redis.call('DECRBY', total, size)
    end
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', order, '-inf', whole(now), 'LIMIT', 0, AT_ONCE)) do
    uncount(member)
    redis.call('ZREM', questions, raw(member))
end
uncount(place)
local here = raw(place)
if redis.call('EXISTS', key('ca', here)) == 0 then
    -- Somebody has had it forgotten.
    redis.call('ZREM', questions, here)
    redis.call('UNLINK', key('cv', here))
    return 0
end
if bearing then
    redis.call('SET', key('cv', here), bearing, 'PX', whole(lasts))
end
-- Kept anew it is news, too: who has found the old answer to be out of date has forgotten the question.
if redis.call('PEXPIRE', key('cv', here), whole(lasts)) == 1 then
    redis.call('ZADD', questions, next_number(policy, 'q', lasts), here)
else
    redis.call('ZREM', questions, here)
end
local size = whole(bytes + redis.call('STRLEN', key('cv', here)))
redis.call('ZADD', order, whole(now + lasts), place)
redis.call('HSET', sizes, place, size)
local sum, dropped = redis.call('INCRBY', total, size), 0
while sum > most_bytes or redis.call('ZCARD', order) > most do
    local oldest = redis.call('ZRANGE', order, 0, 0)[1]
    if not oldest or oldest == place then
        break
    end
    redis.call('UNLINK', key('ca', raw(oldest)), key('cv', raw(oldest)))
    redis.call('ZREM', questions, raw(oldest))
    uncount(oldest)
    sum = tonumber(redis.call('GET', total))
    dropped = dropped + 1
end
-- A server that is short of memory may have dropped what counts the answers.
local over = redis.call('ZCARD', questions) - redis.call('ZCARD', order)
if over > 0 then
    local lost = redis.call('ZPOPMIN', questions, math.min(over, AT_ONCE))
    for at = 1, #lost, 2 do
        redis.call('UNLINK', key('cv', lost[at]))
    end
end
for _, counter in ipairs({order, sizes, total}) do
    redis.call('PEXPIRE', counter, whole(lasts))
end
outlive(questions, lasts)
return dropped
