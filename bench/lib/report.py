"""The bench's results as text."""
import os
import platform
import time

from workloads import OURS, OURS_BATCHED, TITLES


def machine(server):
    model = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/loadavg") as file:
        load = file.read().split()[0]
    return {
        "server": server.sql("SHOW server_version"), "processors": os.cpu_count(), "model": model, "system": platform.platform(),
        "load_at_start": float(load), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def heading(results):
    machine_of = results["machine"]
    return (f"PostgreSQL {machine_of['server']}, {machine_of['processors']} processors ({machine_of['model']}), "
            f"load {machine_of['load_at_start']} at the start, {machine_of['time']}; medians of {results['rounds']} rounds"
            + (" (a quick run: it shows that the bench works, not how fast anything is)" if results["quick"] else "") + "\n")


def ratio(paths, path, other, plugin, key):
    """How many times more the other takes than the plugin."""
    rows = paths.get(path, {})
    if other not in rows or plugin not in rows or rows[plugin][key] == 0:
        return None
    return rows[other][key] / rows[plugin][key]


def ratios(result):
    """The ratios that the project has goals for: (text, value)."""
    paths = result["paths"]
    found = []
    for plugin in [OURS, OURS_BATCHED]:
        for other in ["wal2json 2", "pgoutput"]:
            found.append((f"{other} / {plugin}, seconds", ratio(paths, "walsender", other, plugin, "seconds")))
            found.append((f"{other} / {plugin}, CPU", ratio(paths, "walsender", other, plugin, "cpu")))
    found.append((f"{OURS} / null, same bytes, CPU", ratio(paths, "walsender", OURS, "null, same bytes", "cpu")))
    found.append((f"{OURS_BATCHED} / null, same batches, CPU", ratio(paths, "walsender", OURS_BATCHED, "null, same batches", "cpu")))
    return [(text, value) for text, value in found if value is not None]


def table(workload, result):
    lines = [f"{TITLES[workload]} ({result['changes']:,} changes)"]
    for path, title in [("walsender", "pg_recvlogical"), ("sql", "peek_changes")]:
        rows = result["paths"][path]
        if not rows:
            continue
        lines.append(f"  {title:<22} {'seconds':>8} {'(range)':>15} {'CPU s':>7} {'rows/s':>10} {'MB out':>8} {'peak MB':>8}")
        for plugin, row in rows.items():
            lines.append(f"    {plugin:<20} {row['seconds']:8.2f} {row['fastest']:7.2f}-{row['slowest']:<7.2f} {row['cpu']:7.2f} "
                         f"{result['changes'] / row['seconds']:10,.0f} {row['bytes'] / 1e6:8.1f} {row['peak_kilobytes'] / 1024:8.1f}")
    for plugin, error in result["failures"].items():
        lines.append(f"    {plugin} failed: {error}")
    for text, value in ratios(result):
        lines.append(f"    {text:<52} {value:5.2f}")
    return "\n".join(lines)


def whole(results):
    return heading(results) + "\n" + "\n\n".join(table(name, result) for name, result in results["workloads"].items()) + "\n"
