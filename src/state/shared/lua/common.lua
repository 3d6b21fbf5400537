-- What all scripts share: exact amounts, accounts and holds. KEYS[1] is what every key begins with; its part in
-- braces is the same for all, so that a cluster keeps them together.

local root = KEYS[1]
local BASE = 1000000000

-- Numbers here are doubles, which are exact up to 2^53 only. An amount is two of them, {billions, rest}, both
-- exact for any sum of amounts there can be; it is stored as decimal digits.

local function number(digits)
    local cut = #digits - 9
    if cut <= 0 then
        return {0, tonumber(digits)}
    end
    return {tonumber(string.sub(digits, 1, cut)), tonumber(string.sub(digits, cut + 1))}
end

local function plus(a, b)
    local low = a[2] + b[2]
    local carry = math.floor(low / BASE)
    return {a[1] + b[1] + carry, low - carry * BASE}
end

local function minus(a)
    return {-a[1], -a[2]}
end

local function at_most(a, b)
    return a[1] < b[1] or (a[1] == b[1] and a[2] <= b[2])
end

local function digits(a)
    if a[1] < 0 then
        return '0'
    end
    if a[1] == 0 then
        return string.format('%.0f', a[2])
    end
    return string.format('%.0f%09.0f', a[1], a[2])
end

-- A sum is what was spent and what is held.

local function sum_of(text)
    if not text then
        return {spent = {0, 0}, held = {0, 0}}
    end
    local spent, held = string.match(text, '^(%d+) (%d+)$')
    return {spent = number(spent), held = number(held)}
end

local function joined(a, b)
    return {spent = plus(a.spent, b.spent), held = plus(a.held, b.held)}
end

local function without(a, b)
    return {spent = plus(a.spent, minus(b.spent)), held = plus(a.held, minus(b.held))}
end

local function show(sum)
    return digits(sum.spent) .. ' ' .. digits(sum.held)
end

-- An account is a hash: `s<slot>` the sum of a slot, `t` of all slots, `w` the sums since the slots that were asked
-- for of late, `f` the slot before which all is one sum, in `s0`.

local WATCHED = 8
-- So many slots are read one by one; for more, all are.
local NEAR = 200

local function load(name)
    local key = root .. 'a:' .. name
    local found = redis.call('HMGET', key, 't', 'f', 'w')
    local account = {name = name, key = key, is_new = not found[1], total = sum_of(found[1])}
    account.fold = tonumber(found[2] or '0')
    account.windows = {}
    for since, sum in string.gmatch(found[3] or '', '(%d+) (%d+ %d+);') do
        table.insert(account.windows, {since = tonumber(since), sum = sum_of(sum)})
    end
    return account
end

local function windows(account)
    local texts = {}
    for _, window in ipairs(account.windows) do
        table.insert(texts, string.format('%.0f %s;', window.since, show(window.sum)))
    end
    return table.concat(texts)
end

local function field(slot)
    return string.format('s%.0f', slot)
end

-- Calls `each` with the slots that lie in [first, last) and their sums.
local function slots(account, first, last, each)
    if last - first <= NEAR then
        local names = {}
        for slot = first, last - 1 do
            table.insert(names, field(slot))
        end
        if #names == 0 then
            return
        end
        for place, text in ipairs(redis.call('HMGET', account.key, unpack(names))) do
            if text then
                each(first + place - 1, sum_of(text))
            end
        end
        return
    end
    local all = redis.call('HGETALL', account.key)
    for place = 1, #all, 2 do
        local slot = tonumber(string.match(all[place], '^s(%d+)$'))
        if slot and slot >= first and slot < last then
            each(slot, sum_of(all[place + 1]))
        end
    end
end

-- The sum since a slot. One that lies before the fold counts everything: too much rather than too little.
local function sum_since(account, since)
    if since == 0 or since < account.fold then
        return account.total
    end
    local nearest
    for _, window in ipairs(account.windows) do
        local gap = math.abs(window.since - since)
        if gap == 0 then
            return window.sum
        end
        if gap <= NEAR and (not nearest or gap < math.abs(nearest.since - since)) then
            nearest = window
        end
    end
    local sum = sum_of(nil)
    local function gather(_, slot)
        sum = joined(sum, slot)
    end
    if not nearest then
        slots(account, since, math.huge, gather)
        return sum
    end
    slots(account, math.min(since, nearest.since), math.max(since, nearest.since), gather)
    if nearest.since < since then
        return without(nearest.sum, sum)
    end
    return joined(nearest.sum, sum)
end

-- Keeps the sum since a slot at hand, in place of the one that was asked for longest ago.
local function watch(account, since, sum)
    if since == 0 or since < account.fold or account.is_new then
        return
    end
    for _, window in ipairs(account.windows) do
        if window.since == since then
            return
        end
    end
    if #account.windows >= WATCHED then
        table.remove(account.windows, 1)
    end
    table.insert(account.windows, {since = since, sum = sum})
    redis.call('HSET', account.key, 'w', windows(account))
end

-- Makes one sum of all slots before `horizon`.
local function fold(account, horizon)
    if horizon <= account.fold then
        return
    end
    local first = math.max(account.fold, 1)
    account.fold = horizon
    if account.is_new then
        return
    end
    local old = sum_of(redis.call('HGET', account.key, 's0'))
    local is_changed = false
    slots(account, first, horizon, function(slot, sum)
        old, is_changed = joined(old, sum), true
        redis.call('HDEL', account.key, field(slot))
    end)
    if is_changed then
        redis.call('HSET', account.key, 's0', show(old))
    end
    local kept = {}
    for _, window in ipairs(account.windows) do
        if window.since >= horizon then
            table.insert(kept, window)
        end
    end
    account.windows = kept
    redis.call('HSET', account.key, 'f', string.format('%.0f', horizon), 'w', windows(account))
end

-- Changes what is spent and held in a slot. An account in which there is nothing is not kept.
local function book(account, slot, spent, held)
    if slot < account.fold then
        slot = 0
    end
    local change = {spent = spent, held = held}
    account.total = joined(account.total, change)
    if show(account.total) == '0 0' then
        redis.call('DEL', account.key)
        redis.call('SREM', root .. 'accounts', account.name)
        return
    end
    for _, window in ipairs(account.windows) do
        if window.since <= slot then
            window.sum = joined(window.sum, change)
        end
    end
    local sum = joined(sum_of(redis.call('HGET', account.key, field(slot))), change)
    redis.call('HSET', account.key, field(slot), show(sum), 't', show(account.total), 'w', windows(account), 'f',
        string.format('%.0f', account.fold))
    if account.is_new then
        redis.call('SADD', root .. 'accounts', account.name)
        account.is_new = false
    end
end

-- A hold is a JSON object: `s` is open, late (booked as spent, since nobody knew better) or done; `g` the gateway that
-- made it, `t` the slot, `l` its legs as pairs of an account and digits. `due` has the open ones by when they lapse,
-- `g:<gateway>` by who made them.

local LATE = 7 * 24 * 3600

local function hold_of(id)
    local text = redis.call('GET', root .. 'h:' .. id)
    return text and cjson.decode(text)
end

local function let_go(id, hold)
    redis.call('ZREM', root .. 'due', id)
    redis.call('SREM', root .. 'g:' .. hold.g, id)
end

-- Books an open hold as spent in full. Whether it was open.
local function assume(id, why)
    local hold = hold_of(id)
    if not hold or hold.s ~= 'open' then
        redis.call('ZREM', root .. 'due', id)
        return false
    end
    for _, leg in ipairs(hold.l) do
        local amount = number(leg[2])
        book(load(leg[1]), hold.t, amount, minus(amount))
    end
    let_go(id, hold)
    hold.s, hold.w = 'late', why
    redis.call('SET', root .. 'h:' .. id, cjson.encode(hold), 'EX', LATE)
    return true
end

-- Books the holds that are due, so many of them at most. How many there were.
local function lapse(now, most)
    local due = redis.call('ZRANGEBYSCORE', root .. 'due', '-inf', now, 'LIMIT', 0, most)
    for _, id in ipairs(due) do
        assume(id, 'lapsed')
    end
    return #due
end

local function server_time()
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
end
