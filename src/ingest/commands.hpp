// The commands, one each; they give the exit code or throw Failure, DatabaseError or Interrupted.
#pragma once

#include "settings.hpp"

namespace bemi::ingest {

int RunInit(const Settings& settings);
int RunIngest(const Settings& settings);
int RunSnapshot(const Settings& settings);
int RunVerify(const Settings& settings);
int RunStatus(const Settings& settings);
int RunDrop(const Settings& settings);

}  // namespace bemi::ingest
