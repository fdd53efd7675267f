"""What a context costs the application, in paired runs of pgbench: see bench/session."""
import argparse
import math
import os
import random
import re
import statistics
import subprocess
import time

import report
from server import Server, children_cpu_seconds, pin

PROTOCOLS = ["simple", "prepared"]
# Name → (database, settings of the connection). "bare again" is no other than "bare": how far apart these two are is what
# the machine alone can do.
WAYS = {
    "bare": ("plain", ""),
    "bare again": ("plain", ""),
    "session library": ("plain", "-c session_preload_libraries=bemi_session"),
    "row trigger": ("triggers", ""),
}
SERVER_PROCESSOR, CLIENT_PROCESSOR = 0, 1


class Bench:
    def __init__(self, server, arguments):
        self.server, self.arguments = server, arguments
        self.alone = os.cpu_count() < 2
        time.sleep(1)
        self.background = set(server.children())

    def pgbench(self, way, protocol, *more):
        """Runs it and returns what it says."""
        database, options = WAYS[way]
        command = [] if self.alone else ["taskset", "-c", str(CLIENT_PROCESSOR)]
        command += [self.server.program("pgbench"), "-n", "-s", str(self.arguments.scale), "-c", str(self.arguments.clients), "-j", "1",
                    "-M", protocol, "-f", os.path.join(self.arguments.scripts, protocol + ".sql"), *more, database]
        done = subprocess.run(command, env={**self.server.environment, "PGOPTIONS": options}, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"pgbench has failed: {done.stderr}")
        return done.stdout

    def cpu_of_sessions(self):
        """Processor time of all sessions until now, once they have ended."""
        while set(self.server.children()) - self.background:
            time.sleep(0.002)
        return children_cpu_seconds(self.server.pid)

    def measure(self, way, protocol):
        position, cpu = self.position(), self.cpu_of_sessions()
        said = self.pgbench(way, protocol, "-T", str(self.arguments.seconds))
        cpu = self.cpu_of_sessions() - cpu
        count = int(re.search(r"^number of transactions actually processed: (\d+)", said, re.M).group(1))
        return {"tps": float(re.search(r"^tps = ([0-9.]+)", said, re.M).group(1)), "ms": cpu * 1000 / count,
                "bytes": (self.position() - position) / count}

    def position(self):
        return int(self.server.sql("SELECT pg_current_wal_insert_lsn() - '0/0'"))

    def tidy_up(self):
        """As if nothing had run before; the files of the write-ahead log are used again."""
        for database in ["plain", "triggers"]:
            self.server.sql("TRUNCATE pgbench_history; VACUUM pgbench_branches, pgbench_tellers, pgbench_accounts", database)
        self.server.sql("CHECKPOINT")

    def run_round(self, number, random_order):
        """Every way once, in an order that changes; the trigger, whose difference is large, in every fourth round."""
        rows = {}
        for protocol in PROTOCOLS:
            ways = [way for way in WAYS if way != "row trigger" or number % 4 == 0]
            random_order.shuffle(ways)
            for way in ways:
                rows[protocol, way] = self.measure(way, protocol)
        return rows


def interval_of_median(values):
    """In which the median is with a probability of 95 % or more, whatever the distribution (binomial ranks)."""
    values, count = sorted(values), len(values)
    below, rank = 0.0, 0
    while rank < count // 2:
        below += math.comb(count, rank) / 2 ** count
        if 2 * below > 0.05:
            break
        rank += 1
    return (values[rank - 1], values[count - rank]) if rank > 0 else (values[0], values[-1])


def relative(rounds, protocol, way, key):
    """The same round's figure of `way`, per cent of the bare one's."""
    return [100 * rows[protocol, way][key] / rows[protocol, "bare"][key] for rows in rounds if (protocol, way) in rows]


def share(values):
    low, high = interval_of_median(values)
    return f"{statistics.median(values):.1f} % ({low:.1f} to {high:.1f})"


def table(rounds):
    lines = ["| protocol | way | transactions/s | of bare (95 %) | half of the rounds | processor ms | of bare (95 %) | WAL bytes |",
             "|---|---|---|---|---|---|---|---|"]
    for protocol in PROTOCOLS:
        for way in WAYS:
            rows = [rows[protocol, way] for rows in rounds if (protocol, way) in rows]
            median = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
            cells = ["", ""]
            if way != "bare":
                tps, cpu = relative(rounds, protocol, way, "tps"), relative(rounds, protocol, way, "ms")
                quarters = statistics.quantiles(tps, n=4) if len(tps) > 1 else [tps[0]] * 3
                cells = [f"{share(tps)} | {quarters[0]:.1f} to {quarters[2]:.1f}", share(cpu)]
            else:
                cells[0] = " | "
            lines.append(f"| {protocol} | {way} | {median['tps']:,.0f} | {cells[0]} | {median['ms']:.4f} | {cells[1]} | {median['bytes']:.0f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="bench/session", allow_abbrev=False)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=36)
    parser.add_argument("--scale", type=int, default=10)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    for name in ["server-folder", "server-bindir", "server-pid", "scripts"]:
        parser.add_argument("--" + name, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    server = Server(arguments.server_folder, arguments.server_bindir, int(arguments.server_pid))
    bench = Bench(server, arguments)
    if not bench.alone:
        pin(server, SERVER_PROCESSOR)
    print(report.heading({"machine": report.machine(server), "rounds": arguments.rounds, "quick": False}), flush=True)
    for way in WAYS:
        bench.pgbench(way, "simple", "-t", "2000")
    random_order, rounds = random.Random(arguments.seed), []
    for number in range(arguments.rounds):
        if number % 4 == 0:
            bench.tidy_up()
        rounds.append(bench.run_round(number, random_order))
    print(table(rounds))


main()
