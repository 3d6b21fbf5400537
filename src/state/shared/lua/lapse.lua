-- Books as spent the holds whose time is over. ARGV: now, how many at most. Gives how many there were.

return lapse(ARGV[1], tonumber(ARGV[2]))
