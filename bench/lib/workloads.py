"""What is decoded: the workloads of bench/workloads, and the plugins that take turns on each."""
import os

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "workloads")

# Name → changes. Every script makes a procedure load(rows) that makes as many row changes.
WORKLOADS = {
    "orders": 350000,
    "narrow": 350000,
    "wide": 350000,
    "text": 350000,
    "jsonb": 350000,
    "tpcb": 350000,
    "large": 2000000,
    "context": 350000,
    "context_100kB": 100000,
}

TITLES = {
    "orders": "orders: 13 columns, both images",
    "narrow": "narrow: 4 columns",
    "wide": "wide: 50 columns, half null",
    "text": "text of 1 kB",
    "jsonb": "jsonb of 2 kB",
    "tpcb": "pgbench TPC-B",
    "large": "one transaction of 2,000,000 rows",
    "context": "a context per row",
    "context_100kB": "one context of 100 kB on 100,000 rows",
}

BATCH = 65536

# Name → (plugin, options). {bytes} is what bemi_decoder takes for a change of the workload, on average.
PLUGINS = {
    "null": ("bench_null", {}),
    "null, same bytes": ("bench_null", {"bytes": "{bytes}"}),
    "null, same batches": ("bench_null", {"bytes": "{batched_bytes}", "batch": str(BATCH)}),
    "bemi_decoder": ("bemi_decoder", {}),
    "bemi_decoder, 64 kB": ("bemi_decoder", {"batch_size": "64kB"}),
    "pgoutput": ("pgoutput", {"proto_version": "1", "publication_names": "bench"}),
    "wal2json 1": ("wal2json", {"format-version": "1"}),
    "wal2json 2": ("wal2json", {"format-version": "2"}),
    "test_decoding": ("test_decoding", {}),
    "decoderbufs": ("decoderbufs", {}),
}
OURS, OURS_BATCHED = "bemi_decoder", "bemi_decoder, 64 kB"

QUICK = 100


def rows_of(workload, quick):
    """Of a quick run a hundredth, in whole transactions of every workload."""
    rows = WORKLOADS[workload]
    return rows // QUICK // 7000 * 7000 or 7000 if quick else rows


def options_of(plugin, sizes):
    return {name: value.format(**sizes) for name, value in PLUGINS[plugin][1].items()}


def write_workload(server, workload, rows):
    """Makes the tables, then a slot `base`, then the changes; returns the position behind them."""
    tpcb = workload == "tpcb"
    if tpcb:
        server.run([server.program("pgbench"), "-iq", "-s", "10", server.database], capture_output=True)
    with open(os.path.join(FOLDER, workload + ".sql")) as file:
        server.sql(file.read())
    server.sql("CREATE PUBLICATION bench FOR ALL TABLES; CHECKPOINT")
    server.make_slot("base")
    if tpcb:
        server.run([server.program("pgbench"), "-n", "-M", "prepared", "-c", "4", "-j", "2", "-t", str(rows // 16), server.database],
                   capture_output=True)
    else:
        server.sql(f"CALL load({rows})")
    # What is not decoded any more must not be written while others are decoded.
    server.sql("CHECKPOINT")
    return server.position()


def count_changes(server):
    """Row changes behind the slot `base`, as the null plugin counts them."""
    server.copy_slot("base", "counting", "bench_null")
    count = int(server.sql("SELECT count(*) FROM pg_logical_slot_peek_changes('counting', NULL, NULL, 'bytes', '1')"))
    server.drop_slot("counting")
    return count
