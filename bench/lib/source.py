"""What tracking costs the application: see bench/source."""
import argparse
import glob
import json
import os
import statistics
import subprocess
import tempfile
import time

import report
from server import Server, cpu_seconds, pin, server_cpu_seconds
from workloads import FOLDER

TABLES = ["accounts", "branches", "tellers", "history"]
# Name → (replica identity full, who reads: a plugin and its options for pg_recvlogical, or "bemi_ingest", or "trigger").
SETUPS = {
    "nothing": (False, None),
    "identity full": (True, None),
    "bemi_decoder + bemi_ingest": (True, "bemi_ingest"),
    "wal2json": (True, ("wal2json", {"format-version": "2"})),
    "pgoutput": (True, ("pgoutput", {"proto_version": "1", "publication_names": "bench"})),
    "audit trigger": (False, "trigger"),
}
SERVER_PROCESSOR, OTHER_PROCESSOR = 0, 1


def elsewhere(arguments, nice=0):
    """A command on the processor that the source's server does not use."""
    return ["taskset", "-c", str(OTHER_PROCESSOR), "nice", "-n", str(nice), *arguments]


class Bench:
    def __init__(self, source, destination, ingest, seconds, clients):
        self.source, self.destination, self.ingest = source, destination, ingest
        self.seconds, self.clients = seconds, clients

    def connection(self, server):
        return f"host={server.folder} port={server.environment['PGPORT']} user=postgres dbname={server.database}"

    def run_ingest(self, command, *more):
        return elsewhere([self.ingest, command, *more, "--source", self.connection(self.source),
                          "--destination", self.connection(self.destination)], nice=5)

    def prepare(self, full, reader):
        """An application's tables, fresh; the slot; returns the reading process or None."""
        source = self.source
        source.fresh_database("application")
        source.run([source.program("pgbench"), "-iq", "-s", "20", source.database], capture_output=True)
        for table in TABLES:
            if full:
                source.sql(f"ALTER TABLE pgbench_{table} REPLICA IDENTITY FULL")
        if reader == "trigger":
            with open(os.path.join(FOLDER, "audit_trigger.sql")) as file:
                source.sql(file.read())
        source.sql("CREATE PUBLICATION bench FOR ALL TABLES; CHECKPOINT")
        if reader == "bemi_ingest":
            self.destination.fresh_database("audit")
            source.run(self.run_ingest("init"), capture_output=True)
            return subprocess.Popen(self.run_ingest("run"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if isinstance(reader, tuple):
            source.make_slot("bench", reader[0])
            options = [part for name, value in reader[1].items() for part in ["-o", f"{name}={value}"]]
            return subprocess.Popen(elsewhere([source.program("pg_recvlogical"), "-d", source.database, "--slot", "bench", "--start",
                                               "-f", "/dev/null", *options], nice=5), env=source.environment)
        return None

    def pgbench(self, *arguments):
        self.source.run(elsewhere([self.source.program("pgbench"), "-n", "-M", "prepared", "-c", str(self.clients), "-j", "1", *arguments,
                                   self.source.database]), capture_output=True)

    def measure_wal(self):
        """GB of WAL for a million changes, without the images of pages, which depend on checkpoints."""
        source = self.source
        source.sql("ALTER SYSTEM SET full_page_writes = off")
        source.sql("SELECT pg_reload_conf()")
        start = source.position()
        self.pgbench("-t", "1000")
        size = float(source.sql(f"SELECT pg_current_wal_insert_lsn() - '{start}'::pg_lsn"))
        source.sql("ALTER SYSTEM RESET full_page_writes")
        source.sql("SELECT pg_reload_conf()")
        return size / (4 * 1000 * self.clients) / 1000

    def measure(self, full, reader):
        source = self.source
        process = self.prepare(full, reader)
        wal = self.measure_wal()
        self.warm_up = 4 * 1000 * self.clients
        source.sql("CHECKPOINT")
        start, cpu = source.position(), server_cpu_seconds(source)
        with tempfile.TemporaryDirectory() as folder:
            self.pgbench("-T", str(self.seconds), "-l", "--log-prefix", os.path.join(folder, "log"))
            latencies = read_latencies(folder)
        end, cpu = source.position(), server_cpu_seconds(source) - cpu
        result = {
            "tps": len(latencies) / self.seconds,
            "cpu_microseconds": cpu / len(latencies) * 1e6,
            "p99_ms": sorted(latencies)[int(len(latencies) * 0.99)] / 1000,
            "wal_per_transaction": float(source.sql(f"SELECT '{end}'::pg_lsn - '{start}'::pg_lsn")) / len(latencies),
            "wal_gb_per_million": wal,
        }
        if process:
            result.update(self.finish(process, reader, end, 4 * len(latencies) + self.warm_up))
        if reader == "bemi_ingest":
            self.destination.drop_database()
        source.drop_database()
        return result

    def finish(self, process, reader, end, changes):
        """How long the reader needs for what it is behind, and what its walsender and its table took."""
        source = self.source
        slot = "bemi" if reader == "bemi_ingest" else "bench"
        sender = int(source.sql(f"SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{slot}'"))
        start = time.monotonic()
        while source.sql(f"SELECT confirmed_flush_lsn >= '{end}' OR EXISTS (SELECT FROM pg_stat_replication WHERE pid = {sender} "
                         f"AND sent_lsn >= '{end}' AND '{slot}' = 'bench') FROM pg_replication_slots WHERE slot_name = '{slot}'") != "t":
            time.sleep(0.05)
        result = {"behind_seconds": time.monotonic() - start, "walsender_cpu_per_million": cpu_seconds(sender) / changes * 1e6}
        process.terminate()
        process.wait()
        source.drop_slot(slot)
        if reader == "bemi_ingest":
            count, size = self.destination.sql("SELECT count(*), pg_total_relation_size('changes') FROM changes").split("|")
            if int(count) != changes:
                raise RuntimeError(f"changes has {count} rows, not {changes}")
            result["changes_gb_per_million"] = int(size) / int(count) * 1e6 / 1e9
        return result


def read_latencies(folder):
    """Microseconds of each transaction, from pgbench's logs."""
    latencies = []
    for name in glob.glob(os.path.join(folder, "log*")):
        with open(name) as file:
            latencies += [int(line.split()[2]) for line in file]
    return latencies


COLUMNS = [("cpu_microseconds", "CPU us", 7), ("p99_ms", "p99 ms", 9), ("wal_per_transaction", "WAL/txn", 9), ("wal_gb_per_million", "WAL GB", 9),
           ("changes_gb_per_million", "changes GB", 11), ("walsender_cpu_per_million", "walsender s", 12), ("behind_seconds", "behind s", 9)]


def show(results):
    base = results["nothing"]["tps"] if "nothing" in results else None
    print(f"{'':<28} {'tps':>8} {'':>6} " + " ".join(f"{title:>{width}}" for _, title, width in COLUMNS))
    for name, row in results.items():
        share = f"{100 * row['tps'] / base:.0f} %" if base else ""
        cells = [f"{row[key]:{width}.2f}" if key in row else " " * width for key, _, width in COLUMNS]
        print(f"{name:<28} {row['tps']:8,.0f} {share:>6} {' '.join(cells)}")
    print("CPU us: of all processes of the source's server, for a transaction. WAL GB (without images of pages), changes GB and\n"
          "walsender s (CPU) are for a million changes.")


def main():
    parser = argparse.ArgumentParser(prog="bench/source", allow_abbrev=False)
    parser.add_argument("--setup", action="append", choices=list(SETUPS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--no-fsync", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output")
    for name in ["server-folder", "server-bindir", "server-pid", "destination-pid", "ingest"]:
        parser.add_argument("--" + name, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, 3
    source = Server(arguments.server_folder, arguments.server_bindir, int(arguments.server_pid))
    destination = Server(arguments.server_folder, arguments.server_bindir, int(arguments.destination_pid))
    destination.environment["PGPORT"] = "5433"
    pin(source, SERVER_PROCESSOR)
    pin(destination, OTHER_PROCESSOR)
    source.sql(f"ALTER SYSTEM SET fsync = {'off' if arguments.no_fsync else 'on'}")
    source.sql("SELECT pg_reload_conf()")
    bench = Bench(source, destination, arguments.ingest, arguments.seconds, arguments.clients)
    results = {"machine": report.machine(source), "rounds": arguments.rounds, "quick": arguments.quick, "setups": {}}
    print(report.heading(results), flush=True)
    names = arguments.setup or list(SETUPS)
    samples = {name: [] for name in names}
    for _ in range(arguments.rounds):
        for name in names:
            samples[name].append(bench.measure(*SETUPS[name]))
    for name in names:
        results["setups"][name] = {key: statistics.median(sample[key] for sample in samples[name]) for key in samples[name][0]}
    show(results["setups"])
    if arguments.output:
        os.makedirs(arguments.output, exist_ok=True)
        with open(os.path.join(arguments.output, "source.json"), "w") as file:
            json.dump(results, file, indent=1)
            file.write("\n")


main()
