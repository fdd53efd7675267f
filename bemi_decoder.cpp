// The door: what PostgreSQL looks for when it loads the library.

#include "bemi/callbacks.hpp"
#include "bemi/settings.hpp"

extern "C" {

#pragma GCC visibility push(default)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
PG_MODULE_MAGIC;
#pragma GCC diagnostic pop
#pragma GCC visibility pop

BEMI_EXPORT void _PG_init(void);
BEMI_EXPORT void _PG_output_plugin_init(OutputPluginCallbacks* callbacks);

void _PG_init(void) {
    bemi::DefineServerSettings();
}

void _PG_output_plugin_init(OutputPluginCallbacks* callbacks) {
    bemi::SetCallbacks(callbacks);
}
}
