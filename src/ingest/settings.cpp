#include "settings.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "errors.hpp"
#include "print.hpp"
#include "units.hpp"
#include "usage.hpp"

namespace bemi::ingest {

namespace {

using Setter = void (*)(Settings*, const std::string& value);

struct Flag {
    const char* name;
    bool takes_value;
    bool in_config;
    const char* commands;  // empty: all
    Setter set;
};

[[noreturn]] void Bad(const std::string& what, const std::string& fix = {}) {
    throw Failure(Exit::kUsage, what, fix);
}

void SetOption(Settings* s, const std::string& value) {
    size_t equals = value.find('=');
    if (equals == std::string::npos || equals == 0)
        Bad("an option of the decoder is name=value", "--option exclude_tables=public.sessions");
    std::string name = value.substr(0, equals);
    std::replace(name.begin(), name.end(), '-', '_');
    for (size_t i = 0; i < s->options.size(); ++i) {
        if (s->options[i].first != name)
            continue;
        if (i >= s->options_of_file)
            Bad("the decoder's option " + name + " is given twice");
        s->options.erase(s->options.begin() + static_cast<long>(i));
        --s->options_of_file;
        break;
    }
    s->options.emplace_back(name, value.substr(equals + 1));
}

void SetIndexes(Settings* s, const std::string& value) {
    if (value != "default" && value != "full" && value != "minimal")
        Bad("--indexes is one of default, full, minimal, not " + Shown(value));
    s->indexes = value;
}

void SetPartitionBy(Settings* s, const std::string& value) {
    if (value != "day" && value != "month")
        Bad("--partition-by is day or month, not " + Shown(value));
    s->partition_by = value;
}

int64_t Duration(const char* flag, const std::string& value) {
    auto parsed = ParseDuration(value);
    if (!parsed)
        Bad(std::string(flag) + " is a time such as 30s, 5min, 12h or 90d, not " + Shown(value));
    return *parsed;
}

uint64_t Size(const char* flag, const std::string& value) {
    auto parsed = ParseSize(value);
    if (!parsed)
        Bad(std::string(flag) + " is a size such as 64kB, 16MB or 1GB, not " + Shown(value));
    return *parsed;
}

const Flag kFlags[] = {
    {"source", true, true, "", [](Settings* s, const std::string& v) { s->source = v; }},
    {"destination", true, true, "", [](Settings* s, const std::string& v) { s->destination = v; }},
    {"slot", true, true, "", [](Settings* s, const std::string& v) { s->slot = v; }},
    {"schema", true, true, "", [](Settings* s, const std::string& v) { s->schema = v; }},
    {"option", true, true, "", SetOption},
    {"table", true, false, "verify snapshot",
     [](Settings* s, const std::string& v) {
         s->only_tables += (s->only_tables.empty() ? "" : ",") + v;
     }},
    {"indexes", true, true, "init", SetIndexes},
    {"partition-by", true, true, "init", SetPartitionBy},
    {"retain", true, true, "init run",
     [](Settings* s, const std::string& v) { s->retain_ms = Duration("--retain", v); }},
    {"failover", false, false, "init", [](Settings* s, const std::string&) { s->failover = true; }},
    {"transaction-size", true, true, "run",
     [](Settings* s, const std::string& v) {
         s->transaction_size = Size("--transaction-size", v);
     }},
    {"transaction-time", true, true, "run",
     [](Settings* s, const std::string& v) {
         s->transaction_time_ms = Duration("--transaction-time", v);
     }},
    {"fail-lag", true, true, "status",
     [](Settings* s, const std::string& v) { s->fail_lag = Size("--fail-lag", v); }},
    {"fail-age", true, true, "status",
     [](Settings* s, const std::string& v) { s->fail_age_ms = Duration("--fail-age", v); }},
    {"until-current", false, false, "run",
     [](Settings* s, const std::string&) { s->until_current = true; }},
    {"accept-gap", false, false, "run",
     [](Settings* s, const std::string&) { s->accept_gap = true; }},
    {"json", false, false, "status verify",
     [](Settings* s, const std::string&) { s->json = true; }},
    {"prometheus", false, false, "status",
     [](Settings* s, const std::string&) { s->prometheus = true; }},
    {"yes", false, false, "drop", [](Settings* s, const std::string&) { s->yes = true; }},
};

const Flag* FindFlag(const std::string& name) {
    for (const Flag& flag : kFlags) {
        if (name == flag.name)
            return &flag;
    }
    return nullptr;
}

std::vector<std::string> FlagNames() {
    std::vector<std::string> names = {"config", "help", "version"};
    for (const Flag& flag : kFlags)
        names.push_back(flag.name);
    return names;
}

std::string Trim(const std::string& text) {
    size_t from = text.find_first_not_of(" \t\r");
    if (from == std::string::npos)
        return {};
    return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

std::string Unquote(const std::string& value) {
    if (value.size() >= 2 && value.front() == '\'' && value.back() == '\'')
        return value.substr(1, value.size() - 2);
    return value;
}

void ReadConfigLine(const std::string& where, const std::string& line, Settings* settings) {
    size_t equals = line.find('=');
    if (equals == std::string::npos)
        Bad(where + ": expected key = value");
    std::string key = Trim(line.substr(0, equals));
    std::string value = Unquote(Trim(line.substr(equals + 1)));
    std::replace(key.begin(), key.end(), '_', '-');
    if (key.compare(0, 7, "option.") == 0)
        return SetOption(settings, key.substr(7) + "=" + value);
    const Flag* flag = FindFlag(key);
    if (flag == nullptr || !flag->in_config || key == "option")
        Bad(where + ": unknown key " + Shown(key, ""), Nearest(key, ConfigKeys()));
    flag->set(settings, value);
}

void ReadConfig(const std::string& path, Settings* settings) {
    std::ifstream file(path);
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        line = Trim(line);
        if (!line.empty() && line[0] != '#')
            ReadConfigLine(path + ":" + std::to_string(number), line, settings);
    }
    // A folder opens as a file does.
    if (!file.eof())
        Bad("cannot read the configuration file " + Shown(path, ""));
}

// A flag of the command line, before any of them is applied: the file comes first.
struct Given {
    const Flag* flag;
    std::string value;
};

struct Arguments {
    std::string command, config;
    std::vector<Given> flags;
    bool help = false, version = false;
};

// Takes "--name value" or "--name=value" at argv[*at]; the value stays where it takes none.
std::string TakeValue(int argc, char** argv, int* at, const std::string& name,
                      const std::string* joined) {
    if (joined != nullptr)
        return *joined;
    if (*at + 1 >= argc)
        Bad("--" + name + " needs a value");
    return argv[++*at];
}

void TakeFlag(int argc, char** argv, int* at, Arguments* arguments) {
    std::string name = std::string(argv[*at]).substr(2);
    size_t equals = name.find('=');
    std::string joined = equals == std::string::npos ? "" : name.substr(equals + 1);
    const std::string* value = equals == std::string::npos ? nullptr : &joined;
    name = name.substr(0, equals);
    if (name == "help" || name == "version") {
        (name == "help" ? arguments->help : arguments->version) = true;
        return;
    }
    if (name == "config") {
        arguments->config = TakeValue(argc, argv, at, name, value);
        return;
    }
    const Flag* flag = FindFlag(name);
    if (flag == nullptr)
        Bad("unknown flag " + Shown("--" + name, ""), Nearest(name, FlagNames()));
    if (!flag->takes_value && value != nullptr)
        Bad("--" + name + " takes no value");
    arguments->flags.push_back(
        {flag, flag->takes_value ? TakeValue(argc, argv, at, name, value) : ""});
}

Arguments TakeArguments(int argc, char** argv) {
    Arguments arguments;
    for (int at = 1; at < argc; ++at) {
        std::string word = argv[at];
        if (word == "-h" || word == "-V") {
            (word == "-h" ? arguments.help : arguments.version) = true;
        } else if (word.compare(0, 2, "--") == 0) {
            TakeFlag(argc, argv, &at, &arguments);
        } else if (arguments.command.empty()) {
            arguments.command = word;
        } else {
            Bad("unexpected argument " + Shown(word),
                "connections are given by --source and --destination");
        }
    }
    return arguments;
}

bool AppliesTo(const Flag& flag, const std::string& command) {
    return *flag.commands == '\0' ||
           (" " + std::string(flag.commands) + " ").find(" " + command + " ") != std::string::npos;
}

void TakeEnvironment(Settings* settings) {
    if (const char* source = std::getenv("BEMI_SOURCE"))
        settings->source = source;
    if (const char* destination = std::getenv("BEMI_DESTINATION"))
        settings->destination = destination;
}

void Demand(const Settings& settings) {
    if (settings.source.empty())
        Bad("the source is missing", "--source 'host=… dbname=…', or BEMI_SOURCE");
    if (settings.destination.empty())
        Bad("the destination is missing", "--destination 'host=… dbname=…', or BEMI_DESTINATION");
    if (settings.slot.empty() || settings.slot.find_first_not_of(
                                     "abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
        Bad("the name of a slot has lower-case letters, digits and _ only");
    if (settings.schema.empty() || settings.schema.find_first_of("%$") != std::string::npos)
        Bad("the name of the schema may have any characters but % and $, and must have some");
    if (settings.json && settings.prometheus)
        Bad("--json and --prometheus exclude each other");
}

}  // namespace

std::vector<std::string> ConfigKeys() {
    std::vector<std::string> keys;
    for (const Flag& flag : kFlags) {
        if (flag.in_config && std::string(flag.name) != "option")
            keys.push_back(flag.name);
    }
    return keys;
}

std::string DecoderOption(const Settings& settings, const std::string& name) {
    for (const auto& option : settings.options) {
        if (option.first == name)
            return option.second;
    }
    return {};
}

Settings ParseCommandLine(int argc, char** argv) {
    Arguments arguments = TakeArguments(argc, argv);
    Settings settings;
    if (arguments.help || arguments.version) {
        PrintText(stdout, arguments.help ? kUsage : kVersion);
        return settings;
    }
    if (arguments.command.empty())
        Bad("a command is missing", "bemi_ingest --help");
    if (!IsCommand(arguments.command)) {
        const std::string nearest = Nearest(arguments.command, Commands());
        Bad("unknown command " + Shown(arguments.command, ""),
            nearest.empty() ? "bemi_ingest --help" : nearest);
    }
    settings.command = arguments.command;
    if (!arguments.config.empty())
        ReadConfig(arguments.config, &settings);
    settings.options_of_file = settings.options.size();
    TakeEnvironment(&settings);
    for (const Given& given : arguments.flags) {
        if (!AppliesTo(*given.flag, settings.command))
            Bad("--" + std::string(given.flag->name) + " is not a flag of " + settings.command);
        given.flag->set(&settings, given.value);
    }
    Demand(settings);
    return settings;
}

}  // namespace bemi::ingest
