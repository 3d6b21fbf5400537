-- What those scripts share by which gateways hear of each other's questions. News of a policy are numbered: no two have the
-- same number, and later ones have larger ones. They are microseconds of the server's clock, so that they go on rising where
-- a server has lost what it knew.
--
-- `cg:` is a hash of the last numbers: `n` of all news, `q` of questions, `s` of standings, `f` of what was forgotten. `e` is
-- the first, which tells these books from any that were lost.

local DAY = 24 * 3600 * 1000
-- How long standings last that nobody adds to.
local LONG = 90 * DAY

local function raw(hex)
    return (string.gsub(hex, '..', function(pair)
        return string.char(tonumber(pair, 16))
    end))
end

local function whole(number)
    return string.format('%.0f', number)
end

-- Has a key last for so long at least.
local function outlive(key, lasts)
    if redis.call('PTTL', key) < lasts then
        redis.call('PEXPIRE', key, whole(lasts))
    end
end

local function next_number(policy, kind, lasts)
    local news = root .. 'cg:' .. policy
    local last = tonumber(redis.call('HGET', news, 'n') or '0')
    local number = whole(math.max(server_time(), last + 1))
    redis.call('HSETNX', news, 'e', number)
    redis.call('HSET', news, 'n', number, kind, number)
    outlive(news, lasts)
    return number
end
