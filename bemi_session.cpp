// The door of the session library: what PostgreSQL looks for when it loads it.

#include "session_hooks.hpp"
#include "session_settings.hpp"

extern "C" {

#pragma GCC visibility push(default)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
PG_MODULE_MAGIC;
#pragma GCC diagnostic pop
#pragma GCC visibility pop

BEMI_EXPORT void _PG_init(void);

void _PG_init(void) {
    bemi::DefineSessionSettings();
    bemi::InstallSessionHooks();
}
}
