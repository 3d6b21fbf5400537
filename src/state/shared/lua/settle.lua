-- Books what a hold has cost in place of what was set aside.
-- ARGV: hold, cost, for how many seconds it is remembered that it is over.

local id, cost, remember = ARGV[1], number(ARGV[2]), ARGV[3]

local hold = hold_of(id)
if hold and hold.s == 'done' then
    return 'over'
end
if hold then
    for _, leg in ipairs(hold.l) do
        local amount = number(leg[2])
        if hold.s == 'open' then
            book(load(leg[1]), hold.t, cost, minus(amount))
        else
            book(load(leg[1]), hold.t, plus(cost, minus(amount)), {0, 0})
        end
    end
    let_go(id, hold)
end
-- Also for one that is not known: the claim for it may still be on its way, and must find that it is over.
redis.call('SET', root .. 'h:' .. id, '{"s":"done"}', 'EX', remember)
return hold and hold.s or 'unknown'
