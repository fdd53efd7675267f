// Advisory locks of the destination, which any role that may connect can hold.
//
// So a lock alone proves nothing: a holder that has not the right to do what the lock guards is
// named and passed over, and what the lock guards has a fence of its own (bemi.progress moves only
// from where its writer believes it to be). Nothing here waits: who does asks again.
#pragma once

#include <chrono>
#include <string>

#include "connection.hpp"

namespace bemi::ingest {

// Who waits for a lock looks this often, and says so after a while and then again and again. (The
// lock of a predecessor that was killed is let go when its server notices.)
inline constexpr std::chrono::milliseconds kLockInterval{250};
inline constexpr std::chrono::seconds kLockPatience{3}, kLockNews{60};

struct LockAttempt {
    enum class Result {
        kTaken,
        kPassedOver,  // somebody holds it who could not do what it guards
        kHeld,
    };
    Result result;
    std::string holder;  // whose session it is; empty where the lock is taken
};

enum class LockScope { kSession, kTransaction };

// Tries the lock of that name. `right` is SQL for "role r.oid may do what the lock guards".
LockAttempt TryLock(Connection& destination, const std::string& name, LockScope scope,
                    const std::string& right);

// The lock that says "this slot is being stored", for as long as the connection lives.
LockAttempt LockSlot(Connection& destination, const std::string& slot);
void UnlockSlot(Connection& destination, const std::string& slot);

}  // namespace bemi::ingest
