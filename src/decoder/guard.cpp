// Catching an ERROR without leaking what the server holds for the code that raised it.

#include "bemi/guard.hpp"

namespace bemi {

namespace {

bool MayPass(int sqlstate) {
    switch (ERRCODE_TO_CATEGORY(sqlstate)) {
        case ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK):
        case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES):
        case ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION):
        case ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR):
            return true;
        default:
            return false;
    }
}

}  // namespace

const char* RunGuarded(void (*body)(void*), void* argument) {
    const MemoryContext memory = CurrentMemoryContext;
    const ResourceOwner owner = CurrentResourceOwner;
    const int level = GetCurrentTransactionNestLevel();
    ErrorData* volatile error = nullptr;

    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(memory);
    PG_TRY();
    { body(argument); }
    PG_CATCH();
    {
        MemoryContextSwitchTo(memory);
        error = CopyErrorData();
        FlushErrorState();
    }
    PG_END_TRY();
    // Code that fails may leave subtransactions of its own behind.
    while (GetCurrentTransactionNestLevel() > level)
        RollbackAndReleaseCurrentSubTransaction();
    MemoryContextSwitchTo(memory);
    CurrentResourceOwner = owner;

    if (error == nullptr)
        return nullptr;
    if (MayPass(error->sqlerrcode))
        ReThrowError(error);
    return error->message != nullptr ? error->message : "unknown error";
}

}  // namespace bemi
