// Facts of a session that whoever is in it can't change, but for the application's name.

#include "session_facts.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"

namespace bemi {

namespace {

void PutName(JsonStream& out, const char* name) {
    out.Append(out.data()[out.length() - 1] == '{' ? "\"" : ",\"");
    out.Append(name);
    out.Append("\":");
}

void PutFact(JsonStream& out, const char* name, std::string_view text) {
    PutName(out, name);
    // As names are written: whatever the bytes are, something is.
    WriteIdentifier(out, SessionEncoding(), text);
}

// The address in figures (log_hostname would give a name, which whoever owns the address can
// choose), or what the server's log writes where there is none: inet_client_addr then gives NULL.
// Neither it nor inet_out of what it gives raises anything.
const char* ClientAddress() {
    LOCAL_FCINFO(call, 0);
    InitFunctionCallInfoData(*call, nullptr, 0, InvalidOid, nullptr, nullptr);
    const Datum address = inet_client_addr(call);
    return call->isnull ? "[local]" : DatumGetCString(DirectFunctionCall1(inet_out, address));
}

// Not current_user, which SET ROLE and functions change. A role that was dropped since has no name:
// then it is its number, as a number, which no name is.
void PutUser(JsonStream& out) {
    const Oid user = GetSessionUserId();
    // NULL where there is none of that number; raises nothing then, as it is asked to.
    const char* const name = GetUserNameFromId(user, true);
    if (name != nullptr) {
        PutFact(out, "user", name);
        return;
    }
    PutName(out, "user");
    WriteUnsigned(out, user);
}

}  // namespace

void WriteSessionFacts(JsonStream& out, unsigned include, std::string_view query) {
    out.Put('{');
    if ((include & kIncludeUser) != 0)
        PutUser(out);
    if ((include & kIncludeApplicationName) != 0)
        PutFact(out, "application_name", application_name != nullptr ? application_name : "");
    if ((include & kIncludeClient) != 0)
        PutFact(out, "client", ClientAddress());
    if ((include & kIncludeQuery) != 0 && !query.empty())
        PutFact(out, "query", query);
    out.Put('}');
}

}  // namespace bemi
