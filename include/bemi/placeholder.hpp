// Settings before the library that defines them is loaded: placeholders, which anybody may set.
#pragma once

#include "bemi/pg.hpp"

namespace bemi {

// Whether whoever connected gave this setting along with the connection without the right to. Such
// a value hides the administrator's, and defining the real setting would refuse the one without
// bringing back the other.
inline bool IsForeignOverride(const config_generic* setting) {
    const bool by_superuser =
        setting->reset_scontext == PGC_SU_BACKEND || setting->reset_scontext == PGC_SUSET;
    return setting->reset_source == PGC_S_CLIENT && !by_superuser;
}

// Raises an ERROR if `setting`, known as `name`, is such an override.
inline void RefuseOverride(const config_generic* setting, const char* name) {
    if (IsForeignOverride(setting))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied to set parameter \"%s\"", name),
                        errhint("Connect without setting it.")));
}

}  // namespace bemi
