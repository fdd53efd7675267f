"""The bench's cluster: SQL through psql, slots, and what one decoding of a slot costs."""
import os
import subprocess
import time


class Server:
    """A running private cluster. folder: where its socket is; bindir: its programs; pid: its postmaster."""

    def __init__(self, folder, bindir, pid):
        self.bindir = bindir
        self.folder = folder
        self.pid = pid
        self.database = "postgres"
        self.environment = {**os.environ, "PGHOST": folder, "PGPORT": "5432", "PGUSER": "postgres", "LC_ALL": "C.UTF-8"}

    def program(self, name):
        return os.path.join(self.bindir, name)

    def run(self, arguments, **keywords):
        return subprocess.run(arguments, env=self.environment, check=True, text=True, **keywords)

    def sql(self, statement, database=None):
        """The result, unaligned."""
        done = subprocess.run(
            [self.program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database or self.database, "-f", "-"],
            env=self.environment, input=statement, text=True, capture_output=True, check=False)
        # decoderbufs says INFO all the time, which is of interest only beside an error.
        if done.returncode != 0:
            raise RuntimeError(f"psql has failed: {done.stderr}")
        return done.stdout.rstrip("\n")

    def fresh_database(self, name):
        """An empty database, which sql() and the slots use from now on."""
        self.sql(f"CREATE DATABASE {name}", "postgres")
        self.database = name

    def drop_database(self):
        name, self.database = self.database, "postgres"
        self.sql(f"DROP DATABASE {name}")

    def make_slot(self, name, plugin="test_decoding"):
        self.sql(f"SELECT FROM pg_create_logical_replication_slot('{name}', '{plugin}')")

    def copy_slot(self, source, name, plugin):
        self.sql(f"SELECT FROM pg_copy_logical_replication_slot('{source}', '{name}', false, '{plugin}')")

    def drop_slot(self, name):
        """A walsender that is just ending may hold the slot for a moment."""
        for _ in range(100):
            gone = self.sql(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                            f"WHERE slot_name = '{name}' AND NOT active; "
                            f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{name}'")
            if gone.endswith("0"):
                return
            time.sleep(0.05)
        raise RuntimeError(f"slot {name} stays in use")

    def position(self):
        return self.sql("SELECT pg_current_wal_insert_lsn()")

    def children(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
            return [int(child) for child in file.read().split()]


def read_process(pid, file):
    """The text of /proc/PID/file; '' once the process is gone."""
    try:
        with open(f"/proc/{pid}/{file}") as handle:
            return handle.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def cpu_seconds(pid):
    """CPU time of a process, to the nanosecond; 0 once it is gone."""
    text = read_process(pid, "schedstat")
    return int(text.split()[0]) / 1e9 if text else 0.0


def children_cpu_seconds(pid):
    """CPU time of the processes that a process has waited for, in ticks of the clock."""
    fields = read_process(pid, "stat").rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def server_cpu_seconds(server):
    """CPU time of a cluster's processes, of those that have ended as well."""
    return children_cpu_seconds(server.pid) + sum(cpu_seconds(pid) for pid in [server.pid, *server.children()])


def pin(server, processor):
    """The cluster, with all that it starts from now on, runs on that processor only."""
    for pid in [server.pid, *server.children()]:
        try:
            os.sched_setaffinity(pid, {processor})
        except ProcessLookupError:
            pass


def status_kilobytes(pid, name):
    for line in read_process(pid, "status").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


class Watch:
    """CPU time and peak memory of a process, sampled until it is gone: the last sample is some milliseconds old."""

    def __init__(self, pid):
        self.pid = pid
        self.cpu = 0.0
        self.peak_kilobytes = 0
        self.samples = 0

    def sample(self):
        self.cpu = max(self.cpu, cpu_seconds(self.pid))
        if self.samples % 20 == 0:
            self.peak_kilobytes = max(self.peak_kilobytes, status_kilobytes(self.pid, "VmHWM"))
        self.samples += 1


def find_walsender(server, known, receiver):
    """The process id of the walsender that the program has just started."""
    while receiver.poll() is None:
        for child in server.children():
            if child not in known and "walsender" in read_process(child, "cmdline"):
                return child
        time.sleep(0.001)
    raise RuntimeError("pg_recvlogical has ended: " + receiver.stderr.read())


def start_receiver(server, slot, options, end):
    arguments = [server.program("pg_recvlogical"), "-d", server.database, "--slot", slot, "--start", "--no-loop",
                 "--endpos", end, "-f", "/dev/null", "--status-interval", "1"]
    for name, value in options.items():
        arguments += ["-o", f"{name}={value}"]
    return subprocess.Popen(arguments, env=server.environment, stderr=subprocess.PIPE, text=True)


def end_receiver(receiver):
    """Bytes that it has written, line breaks included: read from what is left of the process when it has ended."""
    os.waitid(os.P_PID, receiver.pid, os.WEXITED | os.WNOWAIT)
    written = [int(line.split()[1]) for line in read_process(receiver.pid, "io").splitlines() if line.startswith("wchar")]
    code, errors = receiver.wait(), receiver.stderr.read()
    if code != 0:
        raise RuntimeError("pg_recvlogical has failed: " + errors)
    return written[0] if written else 0


def decode_through_walsender(server, slot, options, end):
    """Reads a slot up to a position by pg_recvlogical into /dev/null: {seconds, cpu, peak_kilobytes, bytes}."""
    known = set(server.children())
    start = time.monotonic()
    receiver = start_receiver(server, slot, options, end)
    watch = Watch(find_walsender(server, known, receiver))
    while os.waitid(os.P_PID, receiver.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        watch.sample()
        time.sleep(0.004)
    seconds = time.monotonic() - start
    written = end_receiver(receiver)
    return {"seconds": seconds, "cpu": watch.cpu, "peak_kilobytes": watch.peak_kilobytes, "bytes": written}


def decode_through_sql(server, slot, options):
    """The same by pg_logical_slot_peek_binary_changes: {seconds, cpu, peak_kilobytes, bytes, messages}."""
    given = "".join(f", '{name}', '{value}'" for name, value in options.items())
    text = server.sql(f"""
\\timing on
SELECT count(*), coalesce(sum(octet_length(data)), 0) FROM pg_logical_slot_peek_binary_changes('{slot}', NULL, NULL{given});
\\timing off
SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1), substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\\s+(\\d+)');
""").splitlines()
    messages, size = text[0].split("|")
    seconds = float(text[1].split()[1]) / 1000
    cpu, peak = text[2].split("|")
    return {"seconds": seconds, "cpu": int(cpu) / 1e9, "peak_kilobytes": int(peak), "bytes": int(size), "messages": int(messages)}
