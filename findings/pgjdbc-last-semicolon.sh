#!/bin/bash
# pgjdbc cuts a text of several statements up and sends each by itself. A comment goes with the statement in front of it, and one
# behind the last semicolon is not sent at all: what tags a text at its end, as most do, tags the last statement or none.
#
# Seen with pgjdbc 42.5.5 (Debian 12) on 2026-11-29; the server gets
#   INSERT INTO item (note) VALUES ('one')
#   INSERT INTO item (note) VALUES ('two') /*userId='7'*/
#   INSERT INTO item (note) VALUES ('three')
source "${BASH_SOURCE[0]%/*}/lib/clients.sh"
jar=/usr/share/java/postgresql.jar
command -v javac >/dev/null || unavailable 'there is no JDK'
[[ -e $jar ]] || unavailable "there is no $jar (libpostgresql-jdbc-java)"
start_server

cat >Write.java <<'JAVA'
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;

final class Write {
    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0]); Statement statement = connection.createStatement()) {
            System.out.println(connection.getMetaData().getDriverVersion());
            statement.execute("INSERT INTO item (note) VALUES ('one'); INSERT INTO item (note) VALUES ('two') /*userId='7'*/");
            statement.execute("INSERT INTO item (note) VALUES ('three'); /*userId='7'*/");
        }
    }
}
JAVA
javac Write.java
version=$(java -cp "$jar:." Write "jdbc:postgresql://127.0.0.1:$PGPORT/postgres?user=postgres")
[[ $version == 42.5.* ]] || unavailable "this is pgjdbc $version"
same "pgjdbc $version" "$(statements '^ *INSERT' | sed 's/^ *//')" "INSERT INTO item (note) VALUES ('one')
INSERT INTO item (note) VALUES ('two') /*userId='7'*/
INSERT INTO item (note) VALUES ('three')"
