"""Tags that a program writes itself, with both majors of psycopg. A row's note is the row of the table in docs/contexts.md."""
import os

import psycopg
import psycopg2
from psycopg2.extras import execute_batch, execute_values

TAGS = "/*route='%%2Ftodo',userId='7'*/"  # the percent sign is a placeholder's where there are parameters
PLAIN = TAGS.replace("%%", "%")
INSERT = f"INSERT INTO item (note) VALUES (%s) {TAGS}"

with psycopg.connect(autocommit=True) as connection:
    note = "psycopg"
    for _ in range(7):  # the sixth is prepared on the server
        connection.execute(INSERT, [note])
    connection.cursor().executemany(INSERT, [[note], [note]])
    connection.execute(f"INSERT INTO item (note) VALUES ('{note}') {PLAIN}")
    with connection.pipeline():
        connection.execute(INSERT, [note])
    with connection.transaction():
        connection.execute(INSERT, [note])
    with connection.cursor().copy(f"COPY item (note) FROM STDIN {PLAIN}") as copy:
        copy.write(f"{note}\n")
    # An unquoted number, as OpenTelemetry for Python writes it with psycopg.
    connection.execute(f"INSERT INTO item (note) VALUES ('{note}: numbers') /*db_driver='psycopg%3A3.1.7',libpq_version=150001*/")

with psycopg2.connect("") as connection, connection.cursor() as cursor:
    note = "psycopg2"
    cursor.execute(INSERT, [note])
    cursor.executemany(INSERT, [[note], [note]])
    cursor.execute(f"INSERT INTO item (note) VALUES ('{note}') {PLAIN}")
    execute_values(cursor, f"INSERT INTO item (note) VALUES %s {TAGS}", [[note], [note]])
    execute_batch(cursor, INSERT, [[note], [note]])
