#!/usr/bin/env bash
# The Debian package: what it says of itself, that this Debian would install it, that a server which has the extension from nowhere else works with it, and that nothing
# is left when it is removed.
. "$(dirname -- "$0")/lib.sh"

package=$("$(dirname -- "$0")/../../scripts/package.sh" | tail -n 1)
field() { dpkg-deb -f "$package" "$1"; }
check "its name" "postgresql-$PG_MAJOR-foreshard" "$(field Package)"
check "its version is the extension's" "$(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)" "$(field Version)"
check_match "it needs the server and its libraries" "^postgresql-$PG_MAJOR, .*libc6 \(>= [0-9.]+\).*" "$(field Depends)"
check_match "this Debian would install it" "^Inst postgresql-$PG_MAJOR-foreshard" "$(apt-get -s -o Debug::NoLocking=true install "$package" 2>&1 | grep "^Inst .*foreshard" || true)"
check "it has files of its own only" "" "$(dpkg-deb -c "$package" | awk '$1 !~ /^d/ { print $6 }' | grep -vE "^\./usr/(lib/postgresql/$PG_MAJOR/lib/foreshard\.so|share/postgresql/$PG_MAJOR/extension/foreshard[^/]*|share/doc/postgresql-$PG_MAJOR-foreshard/.*)$" || true)"
check "all of them root's" "" "$(dpkg-deb -c "$package" | awk '$2 != "root/root"')"

# A server of its own, as its package would have put it there, without foreshard.
root=$work/root
chmod a+x "$work"
for what in pkglibdir sharedir bindir; do
    from=$("$PG_CONFIG" --$what)
    case $what in
        pkglibdir) to=$root/usr/lib/postgresql/$PG_MAJOR/lib ;;
        sharedir) to=$root/usr/share/postgresql/$PG_MAJOR ;;
        bindir) to=$root/usr/lib/postgresql/$PG_MAJOR/bin ;;
    esac
    mkdir -p "$(dirname "$to")" && cp -a "$from" "$to"
done
rm -f "$root/usr/lib/postgresql/$PG_MAJOR/lib/foreshard.so" "$root/usr/share/postgresql/$PG_MAJOR/extension"/foreshard*
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers" "$root/var/log"
touch "$root/var/lib/dpkg/status"
before=$(cd "$root" && find usr | sort)
dpkg_there() { as_root dpkg --root="$root" --force-depends --log=/dev/null "$@" >"$work/dpkg.log" 2>&1; }
dpkg_there -i "$package" || { cat "$work/dpkg.log"; exit 1; }
check "installed" "install ok installed" "$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Status}' "postgresql-$PG_MAJOR-foreshard")"
PG_CONFIG=$root/usr/lib/postgresql/$PG_MAJOR/bin/pg_config

server main --preload pg_stat_statements,foreshard --conf "foreshard.monitor_interval = '1s'"
sql main "CREATE EXTENSION foreshard; CREATE TABLE source (id bigint PRIMARY KEY, v text); INSERT INTO source SELECT n, n FROM generate_series(1, 5000) n"
check "the library is the package's" t "$([ -n "$(as_root grep -l "$root/usr/lib/postgresql/$PG_MAJOR/lib/foreshard.so" "/proc/$(head -n 1 <(as_root cat "$work/main/data/postmaster.pid"))/maps")" ] && echo t)"
on main pg_dump -Fc -t source -f "$(backups main)/source.dump"
check "a restore" 5000 "$(sql main "SET client_min_messages = error; SELECT rows FROM restore_table('public.t', '$(backups main)/source.dump', '{\"source\": \"public.source\", \"query_log\": \"off\", \"method\": \"hash\", \"shard_count\": 4}')")"
job=$(sql main "SELECT foreshard.split_shard('t_s0000')")
check "a split" "done" "$(sql main "SELECT foreshard.wait_job($job, '60 s')")"
wait_until 60 main "SELECT EXISTS (SELECT FROM foreshard.health)"
check "every row is where it belongs" "5000|t" "$(sql main "SELECT sum(rows), bool_and(ok) FROM foreshard.verify_table('t')")"
stop main
dpkg_there -r "postgresql-$PG_MAJOR-foreshard" || { cat "$work/dpkg.log"; exit 1; }
check "removed, nothing is left" "$before" "$(cd "$root" && find usr | sort)"
