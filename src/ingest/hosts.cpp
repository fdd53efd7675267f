#include "hosts.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace bemi::ingest {

namespace {

std::vector<std::string> Split(const std::string& list) {
    std::vector<std::string> parts;
    for (size_t at = 0; !list.empty() && at <= list.size();) {
        size_t comma = std::min(list.find(',', at), list.size());
        parts.push_back(list.substr(at, comma - at));
        at = comma + 1;
    }
    return parts;
}

// Of a list that may be shorter: one port is that of all.
std::string Part(const std::vector<std::string>& parts, size_t i) {
    return i < parts.size() ? parts[i] : parts.size() == 1 ? parts[0] : std::string();
}

}  // namespace

Hosts::Hosts(PGconn* connection) {
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfo(connection),
                                                                         PQconninfoFree);
    auto value = [&](const std::string& keyword) {
        for (const PQconninfoOption* o = options.get(); o != nullptr && o->keyword; ++o) {
            if (keyword == o->keyword && o->val != nullptr)
                return std::string(o->val);
        }
        return std::string();
    };
    std::vector<std::string> names = Split(value("host")), addresses = Split(value("hostaddr")),
                             ports = Split(value("port"));
    for (size_t i = 0; i < std::max(names.size(), addresses.size()); ++i)
        hosts_.push_back({i < names.size() ? names[i] : "",
                          i < addresses.size() ? addresses[i] : "", Part(ports, i)});
    int seconds = std::atoi(value("connect_timeout").c_str());
    timeout_ = seconds > 0 ? std::max(seconds, 2) : 0;
}

bool Hosts::LeaveOut(PGconn* connection) {
    std::string host = PQhost(connection), port = PQport(connection);
    auto at = std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& h) {
        return (h.name.empty() ? h.address : h.name) == host && (h.port.empty() || h.port == port);
    });
    if (at == hosts_.end() || hosts_.size() == 1)
        return false;
    hosts_.erase(at);
    return true;
}

std::string Hosts::List(std::string Host::*part) const {
    std::string list;
    for (const Host& host : hosts_)
        list += (&host == hosts_.data() ? "" : ",") + host.*part;
    return list.find_first_not_of(',') == std::string::npos ? std::string() : list;
}

std::string Hosts::Names() const {
    return List(&Host::name);
}

std::string Hosts::Addresses() const {
    return List(&Host::address);
}

std::string Hosts::Ports() const {
    return List(&Host::port);
}

}  // namespace bemi::ingest
