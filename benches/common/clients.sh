# shellcheck shell=bash
# What clients notice of something that is done under them. Sourced by a bench that has a directory `work`, seconds `lead` before anything begins, and
#   prepare            makes the table anew, where each load wants it so
#   load OPTIONS       pgbench with its script, and these options
#   job, …             what is done under the load; lines for people go to stderr
#
#   rounds RUNS WHAT…  does each under a load of its own, so many times, and prints what clients met; `job` and `none` are among them, the first one first.
#                      The last lines are medians and the ratio of the two
took=5
# As long as the job before it.
none() { sleep "$took"; }

# The longest transaction in ms, transactions per second while it was under way, its seconds, errors of clients.
measure() {
    prepare
    rm -f "$work"/log.*
    (cd "$work" && load -n -j 2 -T 600 -l --log-prefix=log >"$work/pgbench.out" 2>&1) &
    local load=$! begin end
    sleep "$lead"
    begin=$(date +%s.%N)
    "$1"
    end=$(date +%s.%N)
    sleep 1
    pkill -INT -P $load pgbench 2>/dev/null || kill -INT $load 2>/dev/null || true
    wait $load 2>/dev/null || true
    # Who began before it ended and ended after it began has met it.
    awk -v a="$begin" -v b="$end" -v errors="$(grep -c '^pgbench: error' "$work/pgbench.out")" '
        { e = $5 + $6 / 1e6; s = e - $3 / 1e6; if (e >= a && s <= b) { if ($3 > m) m = $3; if (e <= b) n++ } }
        END { printf "%.1f %.0f %.2f %d\n", m / 1000, n / (b - a), b - a, errors }' "$work"/log.*
}
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

rounds() {
    local run what longest rate seconds errors
    for run in $(seq "$1"); do
        for what in "${@:2}"; do
            read -r longest rate seconds errors < <(measure "$what")
            [ "$what" != job ] || took=$seconds
            echo "$run $what: longest transaction $longest ms, $rate transactions/s, $seconds s, $errors errors of clients"
            echo "$longest" >>"$work/$what.longest"; echo "$rate" >>"$work/$what.rate"; echo "$seconds" >>"$work/$what.seconds"
        done
    done
    for what in "${@:2}"; do
        echo "$what: longest transaction $(median <"$work/$what.longest") ms, $(median <"$work/$what.rate") transactions/s, $(median <"$work/$what.seconds") s"
    done
    awk -v a="$(median <"$work/job.rate")" -v b="$(median <"$work/none.rate")" 'BEGIN { printf "throughput during the job: %.2f of that without\n", a / b }'
}
