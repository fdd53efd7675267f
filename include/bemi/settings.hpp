// The three settings of the server that no consumer can evade, and the settings of the session
// that the server's output functions look at.
#pragma once

#include "bemi/pattern.hpp"
#include "bemi/pg.hpp"

namespace bemi {

struct ServerSettings {
    const char* exclude_tables;  // never NULL, empty for none
    const char* exclude_columns;
    const char* mask_columns;
};

// Registers bemi.exclude_tables, bemi.exclude_columns and bemi.mask_columns, once, when the
// library is loaded. Raises an ERROR where this connection has tried to set one of them without
// the right to: the server would drop that value and the administrator's with it.
void DefineServerSettings();

// The present values, which a reload may change between transactions.
ServerSettings CurrentServerSettings();

// Patterns of a setting's value, which the setting's check has accepted.
PatternList ParseServerSetting(const char* value, int max_names);

// Gives every setting that changes the text of values the value that the contract names, until
// the transaction or subtransaction ends, also when it ends with an ERROR.
void ApplyOutputSettings();

}  // namespace bemi
