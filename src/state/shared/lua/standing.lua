-- What was spent and what is held since a slot. ARGV: account, since. Changes nothing.

local sum = sum_since(load(ARGV[1]), tonumber(ARGV[2]))
return {digits(sum.spent), digits(sum.held)}
