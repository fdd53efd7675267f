// Tags with pgjdbc, in each of its ways to send a statement. A row's note is the row of the table in docs/contexts.md;
// behind a colon, what else is being tried. java Tags URL
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;

final class Tags {
    private static final String NOTE = "pgjdbc";
    private static final String TAGS = "/*route='%2Ftodo',userId='7'*/";

    public static void main(String[] arguments) throws SQLException {
        for (String mode : new String[] {"", "&preferQueryMode=simple", "&reWriteBatchedInserts=true"}) {
            try (Connection connection = DriverManager.getConnection(arguments[0] + mode)) {
                prepare(connection, "INSERT INTO item (note) VALUES (?) " + TAGS);
                prepare(connection, TAGS + " INSERT INTO item (note) VALUES (?)");
                plain(connection, literal(NOTE) + TAGS);
                connection.setAutoCommit(false);
                prepare(connection, "INSERT INTO item (note) VALUES (?)" + TAGS);
                connection.commit();
            }
        }
        try (Connection connection = DriverManager.getConnection(arguments[0])) {
            // The driver sends each statement of a text by itself, and nothing of what is behind the last semicolon.
            plain(connection, literal(NOTE + ": first of two") + "; " + literal(NOTE) + TAGS);
            plain(connection, literal(NOTE + ": semicolon") + "; " + TAGS);
        }
    }

    private static String literal(String note) {
        return "INSERT INTO item (note) VALUES ('" + note + "')";
    }

    private static void plain(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** As often as it takes for a prepared statement of the server, and as a batch. */
    private static void prepare(Connection connection, String sql) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < 7; i++) {
                statement.setString(1, NOTE);
                statement.executeUpdate();
            }
            for (int i = 0; i < 4; i++) {
                statement.setString(1, NOTE);
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }
}
