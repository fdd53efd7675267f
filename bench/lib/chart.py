"""The bench's chart: rows a second of each plugin, as bars in an SVG, per workload."""
from xml.sax.saxutils import escape

from workloads import OURS, OURS_BATCHED, TITLES

BAR, GAP, GROUP_GAP = 15, 3, 34
LEFT, WIDTH, RIGHT = 170, 560, 110
COLORS = {OURS: "#1f7a4d", OURS_BATCHED: "#2fae6f"}
OTHERS = "#8a94a6"
NOT_SHOWN = ["null", "null, same bytes", "null, same batches"]


def bars_of(result):
    """(plugin, rows a second), ours first."""
    rows = result["paths"]["walsender"]
    names = [name for name in [OURS_BATCHED, OURS] if name in rows]
    names += sorted((name for name in rows if name not in names and name not in NOT_SHOWN), key=lambda name: rows[name]["seconds"])
    return [(name, result["changes"] / rows[name]["seconds"]) for name in names]


def text(x, y, content, extra=""):
    return f'<text x="{x}" y="{y}" {extra}>{escape(content)}</text>'


def draw_group(lines, y, title, bars):
    lines.append(text(0, y + 12, title, 'class="title"'))
    y += 22
    longest = max(value for _, value in bars)
    for name, value in bars:
        length = max(1, WIDTH * value / longest)
        lines.append(text(LEFT - 8, y + BAR - 3, name, 'text-anchor="end"'))
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{COLORS.get(name, OTHERS)}"/>')
        lines.append(text(LEFT + length + 6, y + BAR - 3, f"{value:,.0f}"))
        y += BAR + GAP
    return y + GROUP_GAP - 22


def draw(results, workloads=None):
    """Of all workloads, or of those named."""
    lines, y = [], 30
    for name, result in results["workloads"].items():
        if workloads and name not in workloads:
            continue
        bars = bars_of(result)
        if bars:
            y = draw_group(lines, y, TITLES[name], bars)
    width = LEFT + WIDTH + RIGHT
    style = ("text{font:12px system-ui,sans-serif;fill:#1d2430}.title{font-weight:600;font-size:13px}"
             ".note{fill:#5b6575}")
    note = text(0, 14, "Row changes decoded in a second through the walsender; longer is faster", 'class="note"')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="-12 -6 {width} {y}">\n'
            f"<style>{style}</style>\n"
            f'<rect x="-12" y="-6" width="{width}" height="{y}" fill="#ffffff"/>\n' + note + "\n" + "\n".join(lines) + "\n</svg>\n")
