# A pgbench script with the probe of probe.sql around each of its statements. `script` is its name, `list` a file that gets a
# line for each statement: script, number, whether it begins a transaction of its own, text. A script without BEGIN is one
# transaction for each statement, and each becomes one in which the probe sees its counters.

# pgbench 15 writes past its list of commands where it grows: nothing but \set may stand there.
function put(text) {
    while (commands % 128 >= 124) { print "\\set room 0"; commands++ }
    print text
    commands++
}

function statement(text,   plain, plan) {
    plain = text
    sub(/[ \t]*(;|\\gset)[ \t]*$/, "", plain)
    gsub(/\n/, " ", plain)
    if (toupper(plain) == "BEGIN" || toupper(plain) == "COMMIT") { put(text); return }
    number++
    if (!grouped) put("BEGIN;")
    put("SELECT measure.mark();")
    put("EXPLAIN " plain ";")
    put("SELECT measure.mark();")
    put(text)
    put("SELECT measure.note('" script "', " number ");")
    if (!grouped) put("COMMIT;")
    gsub(/\\/, "\\\\", plain)
    printf "%s\t%d\t%s\t%s\n", script, number, grouped ? "f" : "t", plain >>list
}

FNR == NR { if (toupper($0) ~ /^BEGIN;/) grouped = 1; next }
waiting == "" && /^[ \t]*(--.*)?$/ { next }
waiting == "" && /^\\/ { put($0); next }
{ waiting = waiting == "" ? $0 : waiting "\n" $0 }
waiting ~ /(;|\\gset)[ \t]*$/ { statement(waiting); waiting = "" }
END { if (waiting != "") { print script ": a statement without an end: " waiting >"/dev/stderr"; exit 1 } }
