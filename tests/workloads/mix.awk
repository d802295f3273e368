#!/usr/bin/awk -f
# Of what pgbench says at its end: each script's name and its number of transactions.
/^SQL script [0-9]+: / { sub(/^SQL script [0-9]+: /, ""); sub(/.*\//, ""); script = $0 }
/^ - [0-9]+ transactions / { print script, $2 }
