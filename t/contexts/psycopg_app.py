# The page's transactions of psycopg2 and psycopg 3.
import os

import psycopg
import psycopg2
import psycopg2_context
import psycopg_context

second = psycopg2.connect(dbname=os.environ["PGDATABASE"])
with psycopg2_context.transaction(second, {"by": "psycopg2"}) as cursor:
    cursor.execute("INSERT INTO item (note) VALUES ('psycopg2')")
try:
    with psycopg2_context.transaction(second, {"by": "rolled back"}) as cursor:
        cursor.execute("INSERT INTO item (note) VALUES ('rolled back')")
        raise ValueError
except ValueError:
    pass
with psycopg2_context.transaction(second, {"by": "é '\" \\ %s $1 */"}) as cursor:
    cursor.execute("INSERT INTO item (note) VALUES (%s)", ["é '\" \\ %s $1 */"])
with second, second.cursor() as cursor:
    cursor.execute("INSERT INTO item (note) VALUES ('none')")

with psycopg.connect(dbname=os.environ["PGDATABASE"], autocommit=True) as third:
    with psycopg_context.transaction(third, {"by": "psycopg 3"}):
        third.execute("INSERT INTO item (note) VALUES ('psycopg 3')")
    third.execute("INSERT INTO item (note) VALUES ('none')")
    with psycopg_context.transaction(third, {"by": "deletepsycopg 3"}):
        third.execute("DELETE FROM item WHERE note = 'psycopg 3'")
