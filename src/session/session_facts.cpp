// Facts of a session that whoever is in it can't change, but for the application's name.

#include "session_facts.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"

namespace bemi {

namespace {

void PutFact(JsonStream& out, const char* name, std::string_view text) {
    out.Append(out.data()[out.length() - 1] == '{' ? "\"" : ",\"");
    out.Append(name);
    out.Append("\":");
    // As names are written: whatever the bytes are, something is.
    WriteIdentifier(out, SessionEncoding(), text);
}

// The address in figures (log_hostname would give a name, which whoever owns the address can
// choose), or what the server's log writes where there is none.
const char* ClientAddress() {
    LOCAL_FCINFO(call, 0);
    InitFunctionCallInfoData(*call, nullptr, 0, InvalidOid, nullptr, nullptr);
    const Datum address = inet_client_addr(call);
    return call->isnull ? "[local]" : DatumGetCString(DirectFunctionCall1(inet_out, address));
}

}  // namespace

void WriteSessionFacts(JsonStream& out, unsigned include, std::string_view query) {
    out.Put('{');
    // Not current_user, which SET ROLE and functions change.
    if ((include & kIncludeUser) != 0)
        PutFact(out, "user", GetUserNameFromId(GetSessionUserId(), true));
    if ((include & kIncludeApplicationName) != 0)
        PutFact(out, "application_name", application_name != nullptr ? application_name : "");
    if ((include & kIncludeClient) != 0)
        PutFact(out, "client", ClientAddress());
    if ((include & kIncludeQuery) != 0 && !query.empty())
        PutFact(out, "query", query);
    out.Put('}');
}

}  // namespace bemi
