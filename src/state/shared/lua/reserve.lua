-- Sets money aside on all legs or on none.
-- ARGV: how (`ask`, or `carry` for what has been granted already), now, slot, horizon, hold, when it lapses, gateway,
-- how long a gateway is believed in (ms); then for each leg: account, since, cap, what must fit, what is set aside.

local how, now, slot, horizon, id, lapses, gateway, belief =
    ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])

if how == 'ask' then
    lapse(now, 16)
end

local legs = {}
for place = 9, #ARGV, 5 do
    table.insert(legs, {
        account = ARGV[place],
        since = tonumber(ARGV[place + 1]),
        cap = number(ARGV[place + 2]),
        need = number(ARGV[place + 3]),
        amount = ARGV[place + 4],
    })
end

local function balances()
    local answer = {'ok'}
    for _, leg in ipairs(legs) do
        local sum = sum_since(load(leg.account), leg.since)
        table.insert(answer, digits(sum.spent))
        table.insert(answer, digits(sum.held))
    end
    return answer
end

local known = hold_of(id)
if known then
    if known.s ~= 'open' then
        return {'over'}
    end
    local is_same = #known.l == #legs
    for place, leg in ipairs(legs) do
        local other = known.l[place]
        is_same = is_same and other[1] == leg.account and other[2] == leg.amount
    end
    if not is_same then
        return {'other'}
    end
    return balances()
end

for place, leg in ipairs(legs) do
    leg.books = load(leg.account)
    fold(leg.books, horizon)
    local sum = sum_since(leg.books, leg.since)
    watch(leg.books, leg.since, sum)
    if how == 'ask' and not at_most(plus(plus(sum.spent, sum.held), leg.need), leg.cap) then
        return {'denied', tostring(place), digits(sum.spent), digits(sum.held)}
    end
end

local hold = {s = 'open', g = gateway, t = slot, l = {}}
for place, leg in ipairs(legs) do
    book(leg.books, slot, {0, 0}, number(leg.amount))
    hold.l[place] = {leg.account, leg.amount}
end
redis.call('SET', root .. 'h:' .. id, cjson.encode(hold))
redis.call('ZADD', root .. 'due', lapses, id)
redis.call('SADD', root .. 'g:' .. gateway, id)
-- One that is not known to be alive must be known at all, or nobody would ever look for its holds.
redis.call('ZADD', root .. 'gateways', 'NX', string.format('%.0f', server_time() / 1000 + belief), gateway)
return balances()
