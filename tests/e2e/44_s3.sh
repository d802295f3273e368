#!/usr/bin/env bash
# Backups in an S3-compatible store: every format, read by ranges, and no more of it than is needed; what the network and the store
# do wrong is said and leaves nothing; and the secret is nowhere to be seen.
. "$(dirname -- "$0")/lib.sh"
fixtures=$(cd -- "$(dirname -- "$0")" && pwd)/fixtures
python=$(test_python)

# The store, whose front checks signatures with another implementation than ours.
STORE_SECRET="se/cret+$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')"
export STORE_SECRET
store=$work/store
mkdir "$store"
# A certificate for 127.0.0.1 of an authority of its own, which only this server trusts.
quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=test authority' -keyout "$store/ca.key" -out "$work/authority.pem"
quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=store -keyout "$store/key.pem" -out "$store/request"
quietly openssl x509 -req -days 2 -in "$store/request" -CA "$work/authority.pem" -CAkey "$store/ca.key" -CAcreateserial -out "$store/cert.pem" \
    -extfile <(printf 'subjectAltName = IP:127.0.0.1\nbasicConstraints = CA:FALSE\n')
export SSL_CERT_FILE=$work/authority.pem
env -u SSL_CERT_FILE "$python" "$fixtures/store.py" serve "$store" >"$store/said" 2>&1 &
served=$!
until [ -e "$store/front" ]; do
    kill -0 $served || { cat "$store/said"; exit 1; }
    sleep 0.1
done
put() { "$python" "$fixtures/store.py" put "$store" "$@"; }
mode() { echo "$*" >"$store/mode.new" && mv "$store/mode.new" "$store/mode"; }
# Bytes sent since the last call of `log_begins` of objects whose path matches.
log_begins() { : >"$store/log"; }
sent() { awk -F '\t' -v path="$1" '$2 ~ path { n++; bytes += $4 } END { print bytes + 0 }' "$store/log"; }

file=$work/credentials
write_credentials() {
    printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n[reports]\naws_access_key_id = AKIATEST\naws_secret_access_key = %s\n' "$1" "$2" "$STORE_SECRET" >"$file"
    chmod 600 "$file" && chown "$(server_user)" "$file"
}
write_credentials AKIATEST "$STORE_SECRET"
server main --preload pg_stat_statements --conf "log_statement = 'all'" --conf "foreshard.s3_endpoint = 'http://127.0.0.1:$(cat "$store/front")'" \
    --conf "foreshard.s3_path_style = on" --conf "foreshard.s3_region = 'eu-test-1'" --conf "foreshard.s3_credentials_file = '$file'"

# A table of 10 MB behind one of 12 MB, whose rows do not compress.
sql main "CREATE DATABASE shop"
sql main "CREATE EXTENSION foreshard; CREATE SCHEMA copies; CREATE EXTENSION pg_stat_statements;
    CREATE TABLE aside (id integer PRIMARY KEY, body text);
    INSERT INTO aside SELECT i, (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 12) j) FROM generate_series(1, 60000) i;
    CREATE TABLE sale (id serial PRIMARY KEY, item_id integer NOT NULL, note text);
    INSERT INTO sale (item_id, note) SELECT i % 50, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN E'two\nlines' ELSE (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 8) j) END
    FROM generate_series(1, 60000) AS i;
    CREATE TABLE zest (id integer PRIMARY KEY, body text); INSERT INTO zest SELECT * FROM aside LIMIT 30000" shop
dir=$(backups main)
dump() { on main pg_dump -d shop "$@"; }
dump -Fc -f "$dir/shop.dump"
dump -Fc | cat >"$dir/piped.dump"
dump -Ft -t sale -f "$dir/sale.tar"
dump -t sale -f "$dir/sale.sql"
gzip -c "$dir/sale.sql" >"$dir/sale.sql.gz"
dump -Fd -f "$dir/shop.dir"
on main psql -XAtq -d shop -c "\\copy sale TO '$dir/sale.csv' WITH (FORMAT csv, HEADER)" -c "\\copy sale TO '$dir/sale.txt'"
zstd -q "$dir/sale.csv"
for n in 1 2 3; do
    on main psql -XAtq -d shop -c "\\copy (SELECT * FROM sale WHERE id % 3 = $n - 1) TO '$dir/part-$n.csv' WITH (FORMAT csv)"
done
gzip "$dir/part-2.csv"
: >"$dir/empty"
named() { for path in "$@"; do printf '%s\n' "a b/ü+%20/$(basename "$path")" "$path"; done; }
mapfile -t objects < <(named "$dir"/shop.dump "$dir"/piped.dump "$dir"/sale.* "$dir"/part-* "$dir"/empty)
for path in "$dir"/shop.dir/*; do objects+=("a b/ü+%20/shop.dir/$(basename "$path")" "$path"); done
put "${objects[@]}"
at='s3://backups/a b/ü+%20'

layout='"query_log": "off", "method": "hash", "shard_key": ["item_id"], "shard_count": 4'
script="\"source\": \"public.sale\", $layout"
text="\"like\": \"public.sale\", \"format\": \"text\", $layout"
csv="\"like\": \"public.sale\", \"format\": \"csv\", $layout"
headed="$csv, \"copy\": {\"header\": true}"
restore() { echo "SET client_min_messages = error; SELECT rows FROM restore_table('copies.sale', '$1', '{$2}')"; }
differing() { sql main "SELECT (SELECT count(*) FROM (TABLE sale EXCEPT ALL TABLE copies.sale) AS x) + (SELECT count(*) FROM (TABLE copies.sale EXCEPT ALL TABLE sale) AS x)" shop; }
drop() { sql main "SET client_min_messages = error; DROP TABLE IF EXISTS copies.sale" shop; }
# same WHAT ADDRESS CONFIG
same() {
    check "$1: restored" 60000 "$(sql main "$(restore "$2" "$3")" shop 2>&1)"
    check "$1: the same rows" 0 "$(differing)"
    drop
}
# refused WHAT PATTERN ADDRESS CONFIG [SETTINGS]
refused() {
    check_error "$1" "$2" main "${5:-}; $(restore "$3" "$4")" shop
    check "$1: nothing is left" "|0" "$(sql main "SELECT to_regclass('copies.sale'), count(*) FROM pg_ls_dir('base/pgsql_tmp', true, false)" shop)"
    drop
}

log_begins
same "a custom archive" "$at/shop.dump" "$script"
check "a custom archive: no more than its head and the table's rows, twice, is read" t \
    "$([ "$(sent shop.dump)" -lt $((2 * $(stat -c %s "$dir/shop.dump") - 16000000)) ] && [ "$(sent shop.dump)" -gt 16000000 ] && echo t || cat "$store/log")"
same "a custom archive from a pipe" "$at/piped.dump" "$script"
same "a tar" "$at/sale.tar" "$script"
same "a script" "$at/sale.sql" "$script"
same "a script by gzip" "$at/sale.sql.gz" "$script"
same "COPY text" "$at/sale.txt" "$text"
same "CSV by zstd" "$at/sale.csv.zst" "$headed"
same "a pattern" "$at/part-*.csv*" "$csv"
log_begins
same "a directory" "$at/shop.dir/" "$script"
check "a directory: no other file of it is read" "" "$(grep shop.dir "$store/log" | grep -vE "toc.dat|$(cd "$dir/shop.dir" && pg_restore -l . 2>/dev/null | awk '/TABLE DATA public sale/ { print $1 + 0 }')[.]dat" || true)"
same "a directory that the config calls one" "$at/shop.dir" "\"format\": \"directory\", $script"
check "a sequence goes on" "60001" "$(sql main "$(restore "$at/shop.dump" "$script"); INSERT INTO copies.sale (item_id) VALUES (1) RETURNING id" shop | tail -n 1)"
drop
check "anybody's plan is the file's" "t" "$(sql main "SET client_min_messages = error; WITH p AS (SELECT foreshard.plan_restore('copies.sale', a, '{\"source\": \"public.sale\", \"query_log\": \"off\"}') FROM unnest(ARRAY['$at/shop.dump', '$dir/shop.dump']) a)
    SELECT count(*) > 1 FROM p; SELECT count(DISTINCT plan ->> 'hash') = 1 FROM (SELECT plan FROM foreshard._plans ORDER BY id DESC LIMIT 2) x" shop | tail -n 1)"

# What is not there, and who may not.
refused "no object" '58P01: the store has no object "s3://backups/a b/ü\+%20/none.dump"' "$at/none.dump" "$script"
refused "no bucket" '58P01: the store has no bucket "elsewhere"' "s3://elsewhere/shop.dump" "$script"
refused "no match" '58P01: no object matches' "$at/none-*.csv" "$csv"
refused "a pattern of archives" '22023: .*has wildcards' "$at/*.dump" "$script"
refused "no pattern" '22023: .*is no pattern' "$at/part-[.csv" "$csv"
refused "no directory" '22P04: the directory "s3://backups/none/" is no backup' "s3://backups/none/" "$script"
refused "an empty object" '22P04: the backup "s3://backups/a b/ü\+%20/empty" is empty' "$at/empty" "$script"
refused "no address" "22023: the backup's address is no s3://bucket/key" "s3://AKIA:$STORE_SECRET@backups/x" "$script"
refused "an endpoint with a password" '22023: foreshard.s3_endpoint is no address of a store' "$at/shop.dump" "$script" "SET foreshard.s3_endpoint = 'http://me:word@127.0.0.1'"
refused "nobody there" '08001: could not reach the store .*
.*Connection refused.*last of 4 attempts' "$at/shop.dump" "$script" "SET foreshard.s3_endpoint = 'http://127.0.0.1:1'"
refused "no TLS" '08001: no secure connection' "$at/shop.dump" "$script" "SET foreshard.s3_endpoint = 'https://127.0.0.1:$(cat "$store/front")'"
secured="SET foreshard.s3_endpoint = 'https://127.0.0.1:$(cat "$store/secured")'"
check "TLS, by an authority that the machine trusts" 60000 "$(sql main "$secured; $(restore "$at/sale.txt" "$text")" shop 2>&1)"
drop
refused "a certificate for another name" '08001: no secure connection to the store' "$at/shop.dump" "$script" "${secured/127.0.0.1/localhost}"
refused "another region" "SET foreshard.s3_region = 'eu-test-1'" "$at/shop.dump" "$script" "SET foreshard.s3_region = 'us-east-1'"
mode elsewhere
refused "a redirection is not followed" "22023: the bucket \"backups\" is in another region" "$at/shop.dump" "$script"
mode pass

write_credentials AKIATEST wrong
refused "a wrong secret" '28000: the store does not accept the credentials' "$at/shop.dump" "$script"
check "another profile" 60000 "$(sql main "SET foreshard.s3_profile = 'reports'; $(restore "$at/sale.txt" "$text")" shop 2>&1)"
drop
write_credentials AKIAOTHER "$STORE_SECRET"
refused "another key" '28000: the store does not accept the credentials' "$at/shop.dump" "$script"
chmod 644 "$file"
refused "a file that others may read" '42501: others may read the file of foreshard.s3_credentials_file' "$at/shop.dump" "$script"
refused "no such profile" '42501|22023: there is no such profile' "$at/shop.dump" "$script" "SET foreshard.s3_profile = 'none'"
refused "no such file" '58P01: could not read the file of foreshard.s3_credentials_file' "$at/shop.dump" "$script" "SET foreshard.s3_credentials_file = '$work/none'"
refused "anonymous" '42501: the store denies access to' "$at/shop.dump" "$script" "SET foreshard.s3_credentials_file = ''"
write_credentials AKIATEST "$STORE_SECRET"
for role in reader keeper; do
    sql main "CREATE ROLE $role; GRANT ALL ON SCHEMA copies, foreshard, public TO $role; GRANT ALL ON ALL TABLES IN SCHEMA foreshard, public TO $role;
        GRANT ALL ON ALL SEQUENCES IN SCHEMA foreshard, public TO $role; GRANT ALL ON ALL FUNCTIONS IN SCHEMA foreshard, public TO $role" shop
done
sql main "GRANT pg_read_server_files TO keeper"
refused "a role that may not read files of the server" '42501: permission denied to restore' "$at/shop.dump" "$script" "SET ROLE reader"
check "a role that may" 60000 "$(sql main "SET ROLE keeper; $(restore "$at/sale.txt" "$text")" shop 2>&1)"
drop
refused "nobody but a superuser chooses the store" '42501: permission denied to set parameter "foreshard.s3_endpoint"' "$at/shop.dump" "$script" \
    "LOAD 'foreshard'; SET ROLE keeper; SET foreshard.s3_endpoint = 'http://127.0.0.1:1'"
check_match "nor before the library is loaded" 'permission denied to set parameter "foreshard.s3_endpoint".*60000' \
    "$(sql main "SET ROLE keeper; SET foreshard.s3_endpoint = 'http://127.0.0.1:1'; $(restore "$at/sale.txt" "$text" | sed 's/SET client_min_messages = error;//')" shop 2>&1 | tr '\n' ' ')"
drop
check_match "nor sees where it is" '42501|must be superuser|permission denied' "$(sql main "LOAD 'foreshard'; SET ROLE keeper; SHOW foreshard.s3_credentials_file" shop 2>&1 || true)"

# What fails on the way.
mode busy 3
same "a store that is busy for a while" "$at/sale.txt" "$text"
mode busy 1000000
refused "a store that stays busy" 'the store failed to give' "$at/sale.txt" "$text"
for what in "shop.dump|$script" "piped.dump|$script" "sale.sql|$script" "sale.csv.zst|$headed"; do
    mode cut
    refused "a connection that breaks: ${what%%|*}" '08006: the connection to the store broke' "$at/${what%%|*}" "${what#*|}"
    mode pass
done
head -c 1000 "$dir/shop.dump" >"$dir/other"
for n in 1 3; do
    put "a b/ü+%20/changing.dump" "$dir/shop.dump"
    sql main "$(restore "$at/sale.txt" "$text")" shop >/dev/null && drop
    mode change $n "$dir/other"
    refused "an object that changes before its range $n" '55000: the object "s3://backups/a b/ü\+%20/changing.dump" changed while it was read' "$at/changing.dump" "$script"
    mode pass
done

# Whoever waits for a store that says nothing can be cancelled, wherever he waits.
hangs() {
    on main psql -XAtq -v VERBOSITY=verbose -d shop -c "$(restore "$@")" >"$work/cancelled" 2>&1 &
    wait_until 60 main "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%restore_table(%' AND pid <> pg_backend_pid() AND state = 'active')" shop
    until grep -qP '\t0\t-$' "$store/log"; do sleep 0.05; done
    sql main "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%restore_table(%' AND pid <> pg_backend_pid()" >/dev/null
    wait $!
}
log_begins
mode hang
hangs "$at/shop.dump" "$script" || true
check_match "cancelled while the store hangs" 'ERROR:  57014: canceling statement due to user request' "$(cat "$work/cancelled")"
for format in "shop.dump|$script" "piped.dump|$script" "sale.sql.gz|$script" "sale.txt|$text"; do
    log_begins
    mode hang behind
    hangs "$at/${format%%|*}" "${format#*|}" || true
    check_match "cancelled while the store hangs in the middle: ${format%%|*}" 'ERROR:  57014: canceling statement due to user request' "$(cat "$work/cancelled")"
    drop
done
mode pass
same "and then a restore works" "$at/shop.dump" "$script"

# The secret, and what is made of it, is nowhere.
on main psql -XAtq -d shop -c "TABLE foreshard._plans" -c "TABLE foreshard._jobs" -c "TABLE foreshard._tables" -c "TABLE pg_stat_statements" -c "TABLE pg_stat_activity" \
    -c "SELECT foreshard.explain(plan_id) FROM foreshard.plans" >"$work/kept"
check_match "there is something to look through" 's3://backups/a b' "$(cat "$work/kept")"
check "what was kept has neither secret nor signature" "" "$(grep -oE "X-Amz-[A-Za-z]*|$STORE_SECRET" "$work/kept" | sort -u)"
check "nor has the log, but for who wrote it there" "" "$(grep -v "AKIA:" "$work/main/log" | grep -oE "X-Amz-[A-Za-z]*|AKIATEST|$STORE_SECRET" | sort -u)"
