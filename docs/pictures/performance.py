"""Makes the sources of the plots from the tables of docs/reference/performance.md."""

import itertools
import math
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parent.parent
PAGE = DOCS / "reference/performance.md"
VALUE = re.compile(r"([\d.]+)(?: \(([\d.]+)\.\.([\d.]+)\))?")

# The bar plots: name, column of the table in the section with this name, and title.
RATIOS = [
    ("messages", "rate to c-epoll", "messages: rate, where c-epoll is 1"),
    ("idle", "rate to c-epoll", "idle: rate beside 10,000 silent connections, where c-epoll is 1"),
    ("churn", "CPU to c-threads", "churn: connections for each second of processor time, where c-threads is 1"),
    ("fork", "rate to c-fork", "fork: rate, where c-fork is 1"),
    ("udp", "rate to c-loop", "udp: rate, where c-loop is 1"),
]

BAR_HEIGHT = 0.17
ROW = 0.25
WIDTH = 4.6
NAMES = 1.5


def table(head, section=""):
    """Returns the columns and the rows of the first table in this section whose head begins with these words."""
    text = PAGE.read_text()
    lines = text[text.index(f"\n### {section}\n") if section else 0 :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[start:])
    columns, _, *rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return columns, rows


def values(columns, rows, column):
    """Returns the peer, the median (as text, then as number), the least and the greatest value of each row."""
    index = columns.index(column)
    for row in rows:
        if value := VALUE.match(row[index]):
            median, least, most = (float(number or value[1]) for number in value.groups())
            yield row[0], value[1], median, least, most


def bars(title, found, reference):
    """Returns a plot with a horizontal bar for each peer, in the order of the medians."""
    found = sorted(found, key=lambda value: value[2], reverse=True)
    scale = WIDTH / max(most for *_, most in found)
    lines = [f'text "{title}" bold at ({NAMES + WIDTH / 2:.3f}, {ROW * 1.2:.3f})']
    for number, (peer, shown, median, least, most) in enumerate(found):
        y = -ROW * number
        own = peer.startswith("rust-")
        lines += [
            f'text "{peer}" rjust small {"bold" if own else ""} at ({NAMES - 0.06:.3f}, {y:.3f})',
            f"box wid {max(median * scale, 0.01):.3f} ht {BAR_HEIGHT} rad 0 color {'ink' if own else 'dim'} "
            f"fill {'busy' if own else 'calm'} with .w at ({NAMES}, {y:.3f})",
        ]
        if least < most:
            lines.append(
                f"line thin color dim from ({NAMES + least * scale:.3f}, {y:.3f}) "
                f"to ({NAMES + most * scale:.3f}, {y:.3f})"
            )
        lines.append(f'text "{shown}" rjust small at ({NAMES + WIDTH + 0.5:.3f}, {y:.3f})')
    if reference:
        x = NAMES + reference * scale
        lines.append(f"line thin dashed color own from ({x:.3f}, 0.14) to ({x:.3f}, {-ROW * len(found) + 0.1:.3f})")
    return "\n".join(lines) + "\n"


def growth(title, head, peers):
    """Returns a plot with a curve for each of these peers: the costs at each number of connections."""
    columns, rows = table(head)
    counts = [int(count) for count in columns[1:]]
    curves = {row[0]: [None if cell == "-" else float(cell) for cell in row[1:]] for row in rows if row[0] in peers}
    most = max(value for curve in curves.values() for value in curve if value)
    height, step = 2.6, WIDTH / math.log10(counts[-1])

    def place(count, value, right=0, up=0):
        return f"({step * math.log10(count) + right:.3f}, {height * value / most + up:.3f})"

    lines = [f'text "{title}" bold at ({WIDTH / 2:.3f}, {height + 0.3:.3f})']
    for value in range(0, int(most) + 1, 5):
        lines.append(f"line thin color calm from {place(1, value)} to {place(counts[-1], value)}")
        lines.append(f'text "{value}" rjust small color dim at {place(1, value, right=-0.08)}')
    for count in counts:
        lines.append(f'text "{count:,}" small color dim at {place(count, 0, up=-0.14)}')
    lines.append(f'text "connections" small color dim at ({WIDTH / 2:.3f}, -0.34)')
    ends = []
    for peer, (look, colour) in peers.items():
        points = [(count, value) for count, value in zip(counts, curves[peer]) if value is not None]
        first, *others = [place(count, value) for count, value in points]
        lines.append(f"line {look} color {colour} from {first} to {' then to '.join(others)}")
        ends.append((points[-1], peer, colour))
    lowest = -1.0
    for (count, value), peer, colour in sorted(ends, key=lambda end: end[0][1]):
        y = max(height * value / most, lowest + 0.17)  # names do not cover each other
        lowest = y
        x = step * math.log10(count) + 0.08
        lines.append(f'text "{peer}" ljust small color {colour} at ({x:.3f}, {y:.3f})')
    return "\n".join(lines) + "\n"


def bar_plots():
    """Returns the name, the title, the values and the reference of each bar plot."""
    for name, column, title in RATIOS:
        yield f"performance-{name}", title, list(values(*table("| peer |", name), column)), 1
    memory = list(values(*table("| KiB/connection, connections:"), "1000"))
    yield "performance-memory", "memory for each of 1,000 connections in KiB", memory, None


def descriptions():
    """Returns the name and the words of each picture in the pages."""
    for page in sorted(DOCS.glob("**/*.md")):
        for words, name in re.findall(r"!\[([^]]*)\]\([./]*pictures/([\w-]+)\.svg\)", page.read_text()):
            yield name, " ".join(words.split())


def errors():
    """Returns the values in the descriptions of bar plots that are not those of the tables."""
    tables = {name: {peer: shown for peer, shown, *_ in found} for name, _, found, _ in bar_plots()}
    for name, words in descriptions():
        for peer, shown in re.findall(r"([a-z]+(?:-[a-z]+)*) (\d+\.\d+)(?= KiB|[,.] ?|$)", words):
            if name in tables and tables[name].get(peer) != shown:
                yield f"the description of {name}.svg says {shown} for {peer}, and the table {tables[name].get(peer)}"


def plots():
    """Returns the name and the source of each plot."""
    for name, title, found, reference in bar_plots():
        yield name, bars(title, found, reference)
    peers = {
        "c-threads": ("dashed", "dim"),
        "c-epoll": ("dotted", "dim"),
        "rust-threading": ("thick", "warm"),
        "rust-coroutines": ("thick", "own"),
        "tokio-current": ("", "dim"),
    }
    title = "processor time of a message in µs"
    yield "performance-growth", growth(title, "| CPU µs/op, connections:", peers)
