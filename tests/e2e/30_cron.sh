#!/usr/bin/env bash
# A restore started by pg_cron: in a background worker, without a client, at the next full minute.
. "$(dirname -- "$0")/lib.sh"

server main --preload pg_stat_statements,pg_cron --conf "cron.database_name = 'postgres'" \
    --conf 'cron.use_background_workers = on'
sql main "CREATE DATABASE shop"
sql main "CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text)" shop
sql main "INSERT INTO orders SELECT n, n % 997, md5(n::text) FROM generate_series(1, 20000) n" shop
backup=$(backups main)/shop.dump
on main pg_dump -Fc -f "$backup" shop

sql main "CREATE EXTENSION pg_stat_statements"
sql main "CREATE EXTENSION pg_cron"
sql main "CREATE EXTENSION foreshard"
config='{"shard_key": ["customer"], "method": "hash", "shard_count": 4}'
sql main "SELECT cron.schedule('restore', '* * * * *', \$\$SELECT restore_table('public.orders', '$backup', '$config')\$\$)" >/dev/null

# A minute until it starts at most; the rest is for a machine that is busy.
wait_until 180 main "SELECT EXISTS (SELECT FROM cron.job_run_details WHERE status IN ('succeeded', 'failed'))"
sql main "SELECT cron.unschedule('restore')" >/dev/null

check "the job succeeded" "succeeded" \
    "$(sql main "SELECT CASE status WHEN 'failed' THEN return_message ELSE status END
                 FROM cron.job_run_details WHERE status IN ('succeeded', 'failed') ORDER BY runid LIMIT 1")"
check "nothing is scheduled any more" 0 "$(sql main "SELECT count(*) FROM cron.job")"
check "the table is sharded as configured" "hash|{customer}|4" \
    "$(sql main "SELECT method, shard_key, shard_count FROM foreshard.tables WHERE relation = 'public.orders'::regclass")"
check "the job is in the ledger" "restore|public.orders|done|20000" \
    "$(sql main "SELECT kind, target, state, rows FROM foreshard.jobs")"
check "every row is where it belongs" "4|20000|0|t" \
    "$(sql main "SELECT count(*), sum(rows), sum(misplaced_rows), bool_and(ok) FROM foreshard.verify_table('public.orders')")"
contents="SELECT count(*), sum(hashtextextended(o::text, 0)) FROM orders o"
check "its rows are those of the backup" "$(sql main "$contents" shop)" "$(sql main "$contents")"
