// The callbacks of the output plugin: the only room that knows LogicalDecodingContext.
#pragma once

#include "bemi/pg.hpp"

namespace bemi {

// Fills in what the plugin supports: no two-phase commit, no streaming of transactions in progress.
void SetCallbacks(OutputPluginCallbacks* callbacks);

}  // namespace bemi
