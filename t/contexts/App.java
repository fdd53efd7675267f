// Transactions of JDBC with the page's class.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;

class App {
    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0]); Statement statement = connection.createStatement()) {
            AuditContext.with(connection, "{\"by\": \"jdbc\"}", () -> {
                statement.execute("INSERT INTO item (note) VALUES ('jdbc'), ('jdbc')");
                AuditContext.set(connection, "{\"by\": \"jdbc again\"}");
                statement.execute("INSERT INTO item (note) VALUES ('jdbc again')");
            });
            try {
                AuditContext.with(connection, "{\"by\": \"rolled back\"}", () -> {
                    statement.execute("INSERT INTO item (note) VALUES ('rolled back')");
                    statement.execute("SELECT 1/0");
                });
                throw new AssertionError("no error");
            } catch (SQLException exception) {
                if (!exception.getSQLState().equals("22012")) throw exception;
            }
            statement.execute("INSERT INTO item (note) VALUES ('none')");
        }
    }
}
