#!/usr/bin/env bash
# Runs the end-to-end tests NN_name.sh, each with servers of its own: all of them, or those named. Two at a time (E2E_LANES), since most of them wait for
# something most of the time; what each prints stays together.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'trap - TERM; kill $(jobs -p) 2>/dev/null || true; wait || true; exit 130' INT TERM

names=("$@")
[ $# -gt 0 ] || names=([0-9][0-9]_*.sh)
lanes=${E2E_LANES:-2}
[ ${#names[@]} -gt 1 ] || lanes=1

one() {
    local name=$1 before=$SECONDS
    printf -- '--- %s\n' "$name"
    if [ -e "$name.sh" ]; then
        E2E_COUNTS=$work/$name.counts bash "$name.sh" </dev/null 2>&1 || true
        # A test that was killed has not reported.
        [ -s "$work/$name.counts" ] || { echo "not ok: $name was killed"; echo "0 1" >"$work/$name.counts"; }
    else
        echo "not ok: there is no test $name.sh"
        echo "0 1" >"$work/$name.counts"
    fi
    printf -- '--- %s: %s s\n' "$name" $((SECONDS - before))
}

for name in "${names[@]}"; do
    name=$(basename "$name" .sh)
    if [ "$lanes" = 1 ]; then
        one "$name"
        continue
    fi
    while [ "$(jobs -rp | wc -l)" -ge "$lanes" ]; do wait -n || true; done
    {
        one "$name" >"$work/$name.out"
        # Opened here only: whatever a test leaves behind must not have the lock.
        flock "$work/lock" cat "$work/$name.out"
    } &
done
wait

read -r passed failed < <(cat "$work"/*.counts | awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
