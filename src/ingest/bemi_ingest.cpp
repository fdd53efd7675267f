// The door: which command, and how its end is told.
#include <cstdio>
#include <exception>

#include "check.hpp"
#include "commands.hpp"
#include "errors.hpp"
#include "interrupt.hpp"
#include "print.hpp"
#include "settings.hpp"

namespace {

using namespace bemi::ingest;

int Dispatch(const Settings& settings) {
    if (settings.command == "check")
        return RunCheck(settings);
    if (settings.command == "init")
        return RunInit(settings);
    if (settings.command == "run")
        return RunIngest(settings);
    if (settings.command == "snapshot")
        return RunSnapshot(settings);
    if (settings.command == "verify")
        return RunVerify(settings);
    if (settings.command == "status")
        return RunStatus(settings);
    if (settings.command == "drop")
        return RunDrop(settings);
    return 0;  // --help, --version
}

int Tell(Exit code, const std::string& message, const std::string& fix,
         const std::vector<std::string>& lines = {}) {
    Complain(message);
    for (const std::string& line : lines)
        PrintLine(stderr, WithoutPasswords(line));
    if (!fix.empty())
        PrintLine(stderr, "  fix: " + WithoutPasswords(fix));
    return static_cast<int>(code);
}

}  // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    try {
        CatchSignals();
        return Dispatch(ParseCommandLine(argc, argv));
    } catch (const Failure& failure) {
        return Tell(failure.code, failure.what(), failure.fix, failure.lines);
    } catch (const DatabaseError& error) {
        Exit code = error.Passing() ? Exit::kFailed : Exit::kRefused;
        return Tell(code, error.side + ": " + error.what(),
                    error.fix.empty() ? "bemi_ingest check" : error.fix);
    } catch (const Interrupted&) {
        return Tell(Exit::kInterrupted, "interrupted", "");
    } catch (const std::exception& error) {
        return Tell(Exit::kFailed, error.what(), "");
    }
}
