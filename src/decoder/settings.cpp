// Settings of the server (bemi.*), and those that output functions look at.

#include <cstring>
#include <string_view>

#include "bemi/placeholder.hpp"
#include "bemi/settings.hpp"

namespace bemi {

namespace {

struct ServerSetting {
    const char* name;
    const char* description;
    int max_names;  // of a pattern
    char* value;
    GucStringCheckHook check;
};

bool CheckPatterns(const char* value, int max_names) {
    if (value == nullptr || *value == '\0')
        return true;
    PatternList list;
    const char* error = ParsePatterns(value, max_names, &list);
    if (error != nullptr)
        GUC_check_errdetail("%s", error);
    return error == nullptr;
}

bool CheckTablePatterns(char** value, void**, GucSource) {
    return CheckPatterns(*value, 2);
}
bool CheckColumnPatterns(char** value, void**, GucSource) {
    return CheckPatterns(*value, 3);
}

// The server writes the present values into these.
ServerSetting server_settings[] = {
    {"bemi.exclude_tables", "Tables whose changes bemi_decoder never emits.", 2, nullptr,
     CheckTablePatterns},
    {"bemi.exclude_columns", "Columns that bemi_decoder never emits.", 3, nullptr,
     CheckColumnPatterns},
    {"bemi.mask_columns", "Columns whose values bemi_decoder never emits.", 3, nullptr,
     CheckColumnPatterns},
};

// Names of settings are compared without regard to case.
const ServerSetting* FindServerSetting(const char* name) {
    for (const ServerSetting& setting : server_settings) {
        if (pg_strcasecmp(name, setting.name) == 0)
            return &setting;
    }
    return nullptr;
}

// A value that the real setting would refuse: it would say so to the consumer, who is not to be
// trusted with that, and go on as if nothing were to be hidden.
void RefuseInvalid(const ServerSetting& known, const config_generic* setting) {
    const char* value = ResetValue(setting);
    if (value == nullptr || *value == '\0')
        return;
    PatternList list;
    if (const char* error = ParsePatterns(value, known.max_names, &list))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid value for parameter \"%s\": \"%s\"", known.name, value),
                        errdetail("%s", error)));
}

void RefuseOverrides() {
    ForEachSetting([](const config_generic* setting) {
        const ServerSetting* known = FindServerSetting(setting->name);
        if (known == nullptr || setting->vartype != PGC_STRING)
            return;
        RefuseOverride(setting, known->name);
        RefuseInvalid(*known, setting);
    });
}

struct OutputSetting {
    const char* name;
    const char* value;
};

const OutputSetting kOutputSettings[] = {
    {"DateStyle", "ISO, MDY"}, {"IntervalStyle", "postgres"}, {"TimeZone", "UTC"},
    {"bytea_output", "hex"},   {"extra_float_digits", "1"},   {"lc_monetary", "C"},
    {"xmlbinary", "base64"},   {"search_path", ""},           {"quote_all_identifiers", "off"},
    {"xmloption", "content"},
};

}  // namespace

void DefineServerSettings() {
    RefuseOverrides();
    for (ServerSetting& setting : server_settings) {
        DefineCustomStringVariable(setting.name, setting.description,
                                   "Comma-separated patterns, added to those of the consumer.",
                                   &setting.value, "", PGC_SUSET, 0, setting.check, nullptr,
                                   nullptr);
    }
}

ServerSettings CurrentServerSettings() {
    auto value = [](int i) {
        const char* text = server_settings[i].value;
        return text != nullptr ? text : "";
    };
    return {value(0), value(1), value(2)};
}

PatternList ParseServerSetting(const char* value, int max_names) {
    PatternList list = {};
    if (*value != '\0') {
        const char* error = ParsePatterns(value, max_names, &list);
        if (error != nullptr)
            elog(ERROR, "invalid patterns \"%s\" in a server setting: %s", value, error);
    }
    return list;
}

void ApplyOutputSettings() {
    for (const OutputSetting& setting : kOutputSettings) {
        (void)set_config_option(setting.name, setting.value, PGC_SUSET, PGC_S_SESSION,
                                GUC_ACTION_SAVE, true, 0, false);
    }
}

}  // namespace bemi
