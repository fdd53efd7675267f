// The one place that may catch an ERROR: code that is not the server's own, or that may meet
// damaged data, runs inside of an internal subtransaction.
#pragma once

#include "bemi/pg.hpp"

namespace bemi {

// Runs `body(argument)`. Returns nullptr, or the message of the ERROR that it raised, allocated in
// the current memory context. Errors that may pass (out of memory or disk, a cancelled statement, a
// server that shuts down: SQLSTATE classes 40, 53, 57 and 58) are raised again. What `body`
// allocates lives in the current memory context; locks and pins that it took are given back.
const char* RunGuarded(void (*body)(void*), void* argument);

// The same for a callable.
template <typename Body>
const char* Guarded(Body& body) {
    return RunGuarded([](void* callable) { (*static_cast<Body*>(callable))(); }, &body);
}

}  // namespace bemi
