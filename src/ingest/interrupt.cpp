#include "interrupt.hpp"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

#include "errors.hpp"

namespace bemi::ingest {

namespace {

constexpr unsigned kGraceSeconds = 9;

int wake_pipe[2] = {-1, -1};
volatile std::sig_atomic_t requested = 0;

void OnSignal(int) {
    requested = 1;
    char byte = 0;
    if (write(wake_pipe[1], &byte, 1) < 0) {
        // The pipe is full of earlier signals: it is readable, which is all that matters.
    }
    alarm(kGraceSeconds);
}

void OnAlarm(int) {
    _exit(static_cast<int>(Exit::kInterrupted));
}

void Handle(int signal_number, void (*handler)(int)) {
    struct sigaction action = {};
    action.sa_handler = handler;
    sigaction(signal_number, &action, nullptr);
}

}  // namespace

void CatchSignals() {
    if (pipe2(wake_pipe, O_NONBLOCK | O_CLOEXEC) != 0)
        throw Failure(Exit::kFailed, "cannot make a pipe");
    Handle(SIGTERM, OnSignal);
    Handle(SIGINT, OnSignal);
    Handle(SIGALRM, OnAlarm);
    Handle(SIGPIPE, SIG_IGN);
}

bool InterruptRequested() {
    return requested != 0;
}

int InterruptDescriptor() {
    return wake_pipe[0];
}

}  // namespace bemi::ingest
