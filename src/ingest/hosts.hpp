// The servers of a connection string that names several. libpq goes on to the next one when one
// refuses, but where it is not libpq that waits, nobody does when one is silent: so whoever waits
// leaves that one out.
#pragma once

#include <string>
#include <vector>

#include <libpq-fe.h>

namespace bemi::ingest {

class Hosts {
 public:
    // Those that a connection will try, wherever they are named; none where that is the default.
    explicit Hosts(PGconn* connection);

    // Leaves out the one that the connection is at; false where no other is left.
    bool LeaveOut(PGconn* connection);

    // Lists for libpq.
    std::string Names() const;
    std::string Addresses() const;
    std::string Ports() const;

    // Seconds for each, as libpq counts them; 0 where nobody has said.
    int timeout() const { return timeout_; }

 private:
    struct Host {
        std::string name, address, port;
    };
    std::string List(std::string Host::*part) const;

    std::vector<Host> hosts_;
    int timeout_ = 0;
};

}  // namespace bemi::ingest
