-- Moves the time at which a key is free again. ARGV: key, by how many microseconds, which may be negative.

local key = root .. 'w:' .. ARGV[1]
local now = server_time()
local due = math.max(tonumber(redis.call('GET', key) or '0'), now) + tonumber(ARGV[2])
if due <= now then
    redis.call('DEL', key)
else
    redis.call('SET', key, string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000) + 1)
end
return 'ok'
