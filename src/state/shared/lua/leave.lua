-- Gives a place back. ARGV: key, who.

return redis.call('ZREM', root .. 'p:' .. ARGV[1], ARGV[2])
