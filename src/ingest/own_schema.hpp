// The schema `bemi` of a destination must be init's own before anything in it is read or made.
#pragma once

#include "connection.hpp"

namespace bemi::ingest {

// Functions, triggers and views run with the rights of whoever calls, writes and reads, so the role
// that runs init must not meet somebody else's in the schema. Refuses (Exit::kRefused) where the
// schema belongs to a stranger, a stranger may create in it, it has an object of one, or the role
// itself may not create in it. Strangers are all but superusers, the role itself and roles whose
// rights it has; to a superuser, who has those of all, every role without superuser's rights is
// one. Reads the catalogs alone. A schema that is not there yet is no fault.
void RequireOwnSchema(Connection& destination);

}  // namespace bemi::ingest
