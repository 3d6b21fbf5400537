-- Keeps places taken. ARGV: for how long (ms); then pairs of a key and who.

local lease = tonumber(ARGV[1])
local until_then = string.format('%.0f', server_time() / 1000 + lease)
for place = 2, #ARGV, 2 do
    redis.call('ZADD', root .. 'p:' .. ARGV[place], until_then, ARGV[place + 1])
    redis.call('PEXPIRE', root .. 'p:' .. ARGV[place], lease * 2)
end
return 'ok'
