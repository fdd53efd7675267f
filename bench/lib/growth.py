"""How costs grow: see bench/growth."""
import argparse
import json
import os
import statistics
import threading
import time

import report
from server import Server, decode_through_walsender
from workloads import FOLDER

OURS = ("bemi_decoder", {"batch_size": "64kB"})
PEER = ("test_decoding", {})


def null_plugin(bytes_per_change):
    """What emits as many bytes in the same batches and does nothing else: the server's own part."""
    return ("bench_null", {"bytes": f"{bytes_per_change:.6f}", "batch": "65536"})


# Case → variants: (name, changes, what makes the tables, what writes the changes). Each is held against the first.
CASES = {
    "transaction": [
        ("2,000 rows", 2000000, "", "CALL load_transactions({rows}, 2000)"),
        ("all rows", 2000000, "", "CALL load_transactions({rows}, {rows})"),
    ],
    "tables": [
        ("1 table", 350000, "CALL make_tables(1)", "CALL load_tables({rows}, 1)"),
        ("1,000 tables in turn", 350000, "CALL make_tables(1000)", "CALL load_tables({rows}, 1000)"),
    ],
    "context": [
        ("before the first row", 350000, "", "CALL load_contexts({rows}, 1)"),
        ("in the middle", 350000, "", "CALL load_contexts({rows}, 500)"),
        ("after the last row", 350000, "", "CALL load_contexts({rows}, 1001)"),
        ("before every row", 350000, "", "CALL load_contexts({rows}, 0)"),
        ("none", 350000, "", "CALL load_contexts({rows}, -1)"),
    ],
    "ddl": [
        ("100 tables known", 2000, "CALL make_tables(100)", "CALL load_ddl({rows}, 100)"),
        ("5,000 tables known", 2000, "CALL make_tables(5000)", "CALL load_ddl({rows}, 5000)"),
    ],
}
SLOTS = [1, 4, 8]


def prepare(server, name, setup, load, rows):
    server.fresh_database(name)
    with open(os.path.join(FOLDER, "growth.sql")) as file:
        server.sql(file.read())
    if setup:
        server.sql(setup)
    server.sql("CHECKPOINT")
    server.make_slot("base")
    server.sql(load.format(rows=rows))
    server.sql("CHECKPOINT")
    return server.position()


def clean_up(server):
    server.drop_slot("base")
    server.drop_database()


def decode(server, slot, plugin, end):
    server.copy_slot("base", slot, plugin[0])
    try:
        return decode_through_walsender(server, slot, plugin[1], end)
    finally:
        server.drop_slot(slot)


def median(samples, key):
    return statistics.median(sample[key] for sample in samples)


def measure_case(server, case, variants, rounds, divide):
    """Seconds, CPU and peak memory of each variant: ours, a peer's and the null plugin's."""
    results = {}
    print(f"{case:<26} {'changes':>10} {'seconds':>8} {'CPU s':>7} {'rows/s':>10} {'rows/CPU s':>10} {'peak MB':>8}"
          f"   {'null CPU s':>10}   {'test_decoding CPU s':>20} {'peak MB':>8}", flush=True)
    for name, changes, setup, load in variants:
        rows = max(changes // divide // 2000 * 2000, 2000)
        end = prepare(server, "growth", setup, load, rows)
        ours, floor, theirs = [], [], []
        for _ in range(rounds):
            ours.append(decode(server, "measured", OURS, end))
            floor.append(decode(server, "measured", null_plugin(ours[0]["bytes"] / rows), end))
            theirs.append(decode(server, "measured", PEER, end))
        clean_up(server)
        row = {"changes": rows, **{key: median(ours, key) for key in ours[0]}, "null": {key: median(floor, key) for key in floor[0]},
               "peer": {key: median(theirs, key) for key in theirs[0]}}
        results[name] = row
        print(f"  {name:<24} {rows:10,} {row['seconds']:8.2f} {row['cpu']:7.2f} {rows / row['seconds']:10,.0f} {rows / row['cpu']:10,.0f} "
              f"{row['peak_kilobytes'] / 1024:8.1f}   {row['null']['cpu']:10.2f}"
              f"   {row['peer']['cpu']:20.2f} {row['peer']['peak_kilobytes'] / 1024:8.1f}", flush=True)
    first = next(iter(results.values()))
    for name, row in list(results.items())[1:]:
        speed = row["changes"] / row["cpu"] / (first["changes"] / first["cpu"])
        others = {who: row["changes"] / row[who]["cpu"] / (first["changes"] / first[who]["cpu"]) for who in ["null", "peer"]}
        print(f"  {name}: {100 * speed:.0f} % of the rows per CPU second of the first line "
              f"(null plugin: {100 * others['null']:.0f} %, test_decoding: {100 * others['peer']:.0f} %)")
    print()
    return results


def measure_slots(server, rounds, divide):
    """Several slots decode the same changes at once."""
    rows = max(350000 // divide // 2000 * 2000, 2000)
    end = prepare(server, "growth", "", "CALL load_transactions({rows}, 1000)", rows)
    print(f"{'slots at once':<26} {'seconds':>8} {'rows/s in all':>14}", flush=True)
    results = {}
    for count in SLOTS:
        samples = []
        for _ in range(rounds):
            taken = [None] * count
            for number in range(count):
                server.copy_slot("base", f"measured_{number}", OURS[0])
            start = time.monotonic()

            def work(number):
                taken[number] = decode_slot(server, f"measured_{number}", end)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            samples.append({"seconds": time.monotonic() - start})
            for number in range(count):
                server.drop_slot(f"measured_{number}")
        seconds = median(samples, "seconds")
        results[count] = {"seconds": seconds, "rows": rows * count}
        print(f"  {count:<24} {seconds:8.2f} {rows * count / seconds:14,.0f}", flush=True)
    clean_up(server)
    print()
    return results


def decode_slot(server, slot, end):
    arguments = [server.program("pg_recvlogical"), "-d", server.database, "--slot", slot, "--start", "--no-loop",
                 "--endpos", end, "-f", "/dev/null", "-o", "batch_size=64kB"]
    server.run(arguments, capture_output=True)
    return True


def main():
    parser = argparse.ArgumentParser(prog="bench/growth", allow_abbrev=False)
    parser.add_argument("--case", action="append", choices=[*CASES, "slots"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output")
    for name in ["folder", "bindir", "pid"]:
        parser.add_argument("--server-" + name, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    rounds, divide = (1, 100) if arguments.quick else (arguments.rounds, 1)
    server = Server(arguments.server_folder, arguments.server_bindir, int(arguments.server_pid))
    results = {"machine": report.machine(server), "rounds": rounds, "quick": arguments.quick, "cases": {}}
    print(report.heading(results))
    wanted = arguments.case or [*CASES, "slots"]
    for case in wanted:
        results["cases"][case] = (measure_slots(server, rounds, divide) if case == "slots"
                                  else measure_case(server, case, CASES[case], rounds, divide))
    if arguments.output:
        os.makedirs(arguments.output, exist_ok=True)
        with open(os.path.join(arguments.output, "growth.json"), "w") as file:
            json.dump(results, file, indent=1)
            file.write("\n")


main()
