// SIGTERM and SIGINT: remembered, and able to wake a poll().
#pragma once

namespace bemi::ingest {

// Once, at start. A second chance for what cannot be interrupted (a name server that doesn't
// answer): nine seconds after the first signal the process ends by itself.
void CatchSignals();

bool InterruptRequested();

// Readable once a signal has come.
int InterruptDescriptor();

}  // namespace bemi::ingest
