// The life of a session.

#include <cstring>
#include <string_view>

#include "bemi/session.hpp"

namespace bemi {

namespace {

// A session of SQL may start a decoding inside of a block whose failed one is still in memory: only
// the live one's end clears the pointer.
void ForgetSession(void* argument) {
    Session* const session = static_cast<Session*>(argument);
    if (RelationPlans::Current() == &session->plans)
        RelationPlans::SetCurrent(nullptr);
}

MemoryContext MakeMemory(MemoryContext parent, const char* name) {
    return AllocSetContextCreateInternal(parent, name, ALLOCSET_DEFAULT_SIZES);
}

bool SameSettings(const ServerSettings& a, const ServerSettings& b) {
    return std::strcmp(a.exclude_tables, b.exclude_tables) == 0 &&
           std::strcmp(a.exclude_columns, b.exclude_columns) == 0 &&
           std::strcmp(a.mask_columns, b.mask_columns) == 0;
}

void MakeSessionFilter(Session* session, const ServerSettings& now) {
    MemoryContextReset(session->filter_memory);
    const MemoryContext previous = MemoryContextSwitchTo(session->filter_memory);
    session->settings = {pstrdup(now.exclude_tables), pstrdup(now.exclude_columns),
                         pstrdup(now.mask_columns)};
    session->filter = MakeFilter(session->options, session->settings);
    MemoryContextSwitchTo(previous);
}

}  // namespace

Session* StartSession(MemoryContext parent, List* options) {
    const MemoryContext memory = MakeMemory(parent, "bemi session");
    const MemoryContext previous = MemoryContextSwitchTo(memory);
    Session* session = static_cast<Session*>(palloc0(sizeof(Session)));
    session->memory = memory;
    session->transaction_memory = MakeMemory(memory, "bemi transaction");
    session->row_memory = MakeMemory(memory, "bemi row");
    session->filter_memory = MakeMemory(memory, "bemi filter");
    session->row_space = static_cast<RowSpace*>(palloc(sizeof(RowSpace)));
    session->options = ParseOptions(options);
    MakeSessionFilter(session, CurrentServerSettings());
    session->plans.Init(memory);
    MemoryContextSwitchTo(previous);

    RelationPlans::RegisterCallbacks();
    MemoryContextCallback* callback = static_cast<MemoryContextCallback*>(
        MemoryContextAlloc(memory, sizeof(MemoryContextCallback)));
    callback->func = ForgetSession;
    callback->arg = session;
    MemoryContextRegisterResetCallback(memory, callback);
    RelationPlans::SetCurrent(&session->plans);
    return session;
}

void RefreshSession(Session* session) {
    const ServerSettings now = CurrentServerSettings();
    if (!SameSettings(now, session->settings)) {
        MakeSessionFilter(session, now);
        session->plans.InvalidateAll();
    }
    session->plans.DropStale();
    if (session->prepared)
        return;
    session->encoding = LookUpTextEncoding();
    const char* database = get_database_name(MyDatabaseId);
    session->database = MemoryContextStrdup(session->memory, database != nullptr ? database : "");
    session->scratch.Init(session->memory, !session->encoding.is_utf8());
    session->fragment_text.Init(session->memory, !session->encoding.is_utf8());
    session->prepared = true;
}

}  // namespace bemi
