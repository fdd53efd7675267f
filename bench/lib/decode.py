"""Measures plugins in turn on every workload: see bench/run."""
import argparse
import json
import os
import statistics
import sys
import time

import chart
import report
from server import Server, decode_through_sql, decode_through_walsender
from workloads import OURS, OURS_BATCHED, PLUGINS, WORKLOADS, count_changes, options_of, rows_of, write_workload

# A megabyte a record, and some: more than what the SQL functions gather in a reasonable time.
NO_SQL = ["context_100kB"]

# What the README's chart shows.
SUMMARY = ["orders", "narrow", "tpcb"]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/run", allow_abbrev=False)
    parser.add_argument("--workload", action="append", choices=list(WORKLOADS))
    parser.add_argument("--plugins", help="comma-separated beginnings of names")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sql-rounds", type=int)
    parser.add_argument("--changes", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output")
    for name in ["folder", "bindir", "pid"]:
        parser.add_argument("--server-" + name, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds = 1
    if arguments.sql_rounds is None:
        arguments.sql_rounds = min(arguments.rounds, 1)
    return arguments


def chosen_plugins(text):
    """Names of plugins; several beginnings, separated by semicolons as names have commas."""
    if text is None:
        return list(PLUGINS)
    wanted = [part.strip() for part in text.split(",")]
    chosen = [name for name in PLUGINS if any(name == part or name.split(",")[0].split(" ")[0] == part for part in wanted)]
    if not chosen:
        sys.exit(f"bench/run: --plugins {text}: expected some of {', '.join(sorted({n.split(',')[0].split(' ')[0] for n in PLUGINS}))}")
    return chosen


def decode(server, plugin, sizes, end, path):
    server.copy_slot("base", "measured", PLUGINS[plugin][0])
    try:
        if path == "sql":
            return decode_through_sql(server, "measured", options_of(plugin, sizes))
        return decode_through_walsender(server, "measured", options_of(plugin, sizes), end)
    finally:
        server.drop_slot("measured")


def measure_sizes(server, end, rows):
    """Bytes a change of ours, and a first run that fills the caches."""
    sizes = {}
    for key, plugin in [("bytes", OURS), ("batched_bytes", OURS_BATCHED)]:
        taken = decode(server, plugin, {}, end, "walsender")["bytes"]
        # pg_recvlogical adds a line break to every message.
        sizes[key] = f"{taken / rows - (1 if key == 'bytes' else 0):.6f}"
    return sizes


def summary(samples):
    """Medians, and the extremes of the seconds."""
    if not samples:
        return None
    result = {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}
    result["fastest"] = min(sample["seconds"] for sample in samples)
    result["slowest"] = max(sample["seconds"] for sample in samples)
    result["rounds"] = len(samples)
    return result


def measure_workload(server, workload, plugins, arguments):
    rows = arguments.changes or rows_of(workload, arguments.quick)
    server.fresh_database("bench_" + workload.lower())
    end = write_workload(server, workload, rows)
    changes = count_changes(server)
    if workload != "tpcb" and changes != rows:
        raise RuntimeError(f"{workload} has {changes} changes, not {rows}")
    sizes = measure_sizes(server, end, changes)
    samples = {(path, plugin): [] for path in ["walsender", "sql"] for plugin in plugins}
    failures = {}
    for path, rounds in [("walsender", arguments.rounds), ("sql", 0 if workload in NO_SQL else arguments.sql_rounds)]:
        for _ in range(rounds):
            for plugin in plugins:
                if plugin in failures:
                    continue
                try:
                    samples[path, plugin].append(decode(server, plugin, sizes, end, path))
                except Exception as error:  # a plugin that can't decode the workload is a result
                    failures[plugin] = str(error).strip().splitlines()[-1]
    server.drop_slot("base")
    server.drop_database()
    server.sql("CHECKPOINT")
    return {
        "changes": changes, "sizes": sizes, "failures": failures,
        "paths": {path: {plugin: summary(samples[path, plugin]) for plugin in plugins if samples[path, plugin]}
                  for path in ["walsender", "sql"]},
    }


def main():
    arguments = parse_arguments()
    server = Server(arguments.server_folder, arguments.server_bindir, int(arguments.server_pid))
    plugins = chosen_plugins(arguments.plugins)
    results = {"machine": report.machine(server), "rounds": arguments.rounds, "quick": arguments.quick, "workloads": {}}
    print(report.heading(results), flush=True)
    for workload in arguments.workload or WORKLOADS:
        start = time.monotonic()
        results["workloads"][workload] = measure_workload(server, workload, plugins, arguments)
        print(report.table(workload, results["workloads"][workload]), flush=True)
        print(f"({time.monotonic() - start:.0f} s)\n", flush=True)
    if arguments.output:
        os.makedirs(arguments.output, exist_ok=True)
        with open(os.path.join(arguments.output, "decode.json"), "w") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
        for name, workloads in [("decode.svg", None), ("summary.svg", SUMMARY)]:
            with open(os.path.join(arguments.output, name), "w") as file:
                file.write(chart.draw(results, workloads))
        with open(os.path.join(arguments.output, "decode.txt"), "w") as file:
            file.write(report.whole(results))


main()
