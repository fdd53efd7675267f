// The hooks of the session library.
#pragma once

namespace bemi {

// Installs the hooks, once, when the library is loaded; others that are there already are called
// too.
void InstallSessionHooks();

}  // namespace bemi
