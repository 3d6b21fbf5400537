-- Counts trials of answers to similar questions. ARGV: the policy (hex), who tells it, the number of this batch of theirs, the
-- first and the last number of news that they had heard of before the trials, of how many grounds anything may be known; and
-- then by ground: its name (hex: scope, embedder and least likeness), how many were tried, how many of them were wrong, the
-- share of wrong ones that is put up with there, and by whom texts were embedded.
-- Gives 1, or 0 for a batch that was told before and for one about books that are gone.
--
-- `cr:` has the records by their grounds, `cw:` the number of the last news of each, `cs:` their grounds in order.

local policy, who, number, first, heard = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local most = tonumber(ARGV[6])
local records, times, grounds = root .. 'cr:' .. policy, root .. 'cw:' .. policy, root .. 'cs:' .. policy
local told = root .. 'cl:' .. who
local LONGEST = 20000

if tonumber(redis.call('GET', told) or '0') >= number then
    return 0
end
redis.call('SET', told, whole(number), 'PX', whole(2 * DAY))
if first ~= '0' and redis.call('HGET', root .. 'cg:' .. policy, 'e') ~= first then
    return 0
end

-- Whether what was tried was forgotten afterwards.
local function is_forgotten(scope)
    for _, whose in ipairs({'*', scope}) do
        local at = redis.call('ZSCORE', root .. 'cf:' .. policy, whose)
        if at and tonumber(at) > heard then
            return true
        end
    end
    return false
end

-- What is damaged says nothing.
local function read(record)
    local tried, wrong = string.match(record, '^1 (%d+) (%d+) ')
    tried, wrong = tonumber(tried or '0'), tonumber(wrong or '0')
    if wrong > tried then
        return 0, 0
    end
    return tried, wrong
end

-- A record with so many more, as if they had been added one by one. What was long ago counts for less.
local function added(tried, wrong, count, is_wrong)
    while count > 0 do
        if tried >= LONGEST then
            tried, wrong = math.floor(tried / 2), math.floor(wrong / 2)
        end
        local some = math.min(count, LONGEST - tried)
        tried, count = tried + some, count - some
        if is_wrong then
            wrong = wrong + some
        end
    end
    return tried, wrong
end

local function drop(ground)
    redis.call('HDEL', records, ground)
    redis.call('ZREM', times, ground)
    redis.call('ZREM', grounds, ground)
end

local long_ago = whole(server_time() - LONG * 1000)
for _, ground in ipairs(redis.call('ZRANGEBYSCORE', times, '-inf', long_ago, 'LIMIT', 0, 100)) do
    drop(ground)
end
for at = 7, #ARGV, 5 do
    local ground = raw(ARGV[at])
    local known = redis.call('HGET', records, ground)
    local has_room = known or redis.call('HLEN', records) < most
    if has_room and not is_forgotten(string.sub(ground, 1, 32)) then
        local tried, wrong = read(known or '')
        local count, bad = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
        tried, wrong = added(tried, wrong, count - bad, false)
        tried, wrong = added(tried, wrong, bad, true)
        local record = {'1', whole(tried), whole(wrong), ARGV[at + 3], ARGV[at + 4]}
        redis.call('HSET', records, ground, table.concat(record, ' '))
        redis.call('ZADD', times, next_number(policy, 's', LONG), ground)
        redis.call('ZADD', grounds, 0, ground)
    end
end
for _, key in ipairs({records, times, grounds}) do
    redis.call('PEXPIRE', key, whole(LONG))
end
return 1
