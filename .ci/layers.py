#!/usr/bin/env python3
"""Checks that imports in src/ run downwards only, from higher layers to lower ones.

The layers are those of docs/explanation/architecture.md. Comments and unit tests do not count. Also checks that
no circle of files exists inside a layer, but for those listed in CIRCLES with their reason.
"""

import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"

# From the bottom to the top. Modules of one layer do not import each other, but for the base.
LAYERS = [
    {
        *("address", "disconnect", "errno", "error", "escape", "handshake_error", "logging", "panics", "probe_backoff"),
        *("reentrancy", "timeout", "tls"),
    },
    {"sys"},
    {"accept_error", "handler_error"},
    {"coroutine"},
    {"state"},
    {"request"},
    {"handler"},
    {"service"},
    {"job"},
    {"strategy", "transport"},
    {"server"},
    {"testing"},
]
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}

# Files that import each other, and why that is right.
CIRCLES = {
    # A worker holds its suspended coroutines; the code of a coroutine asks its worker, through its task, for
    # every wait. The locks and the pool that coroutines wait for are part of this.
    frozenset(
        "coroutine::" + file
        for file in [
            "blocking_pool",
            "monitor",
            "scheduler",
            "slots",
            "switch",
            "task",
            "waiter",
            "worker",
            "worker::socket_wait",
        ]
    ),
    # The set starts the threads of its workers, and a worker passes requests on to the others of its set.
    frozenset(["strategy::coroutines::worker_set", "strategy::coroutines::worker_thread"]),
}

COMMENT = re.compile(r"//[^\n]*")
TESTS = re.compile(r"#\[cfg\((?:all\()?test[^\]]*\]\s*mod \w+ \{.*", re.S)
DOC_ONLY = re.compile(r"#\[cfg\(doc\)\]\s*use [^;]*;")


def code(path):
    text = DOC_ONLY.sub("", path.read_text())
    return TESTS.sub("", COMMENT.sub("", text))


def module_of(path):
    parts = list(path.relative_to(SRC).with_suffix("").parts)
    if parts[-1] == "mod":
        parts.pop()
    return tuple(parts)


def flatten(tree, prefix=()):
    """The paths of a `use` tree: `a::{b, c::d}` is a::b and a::c::d."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    prefix = prefix + tuple(part.strip() for part in head.split("::") if part.strip())
    if not brace:
        yield prefix
        return
    depth, item = 0, ""
    for char in rest[: rest.rindex("}")] + ",":
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            if item.strip():
                yield from flatten(item, prefix)
            item = ""
        else:
            item += char


def imports(text):
    for tree in re.findall(r"\buse crate::([^;]*);", text):
        yield from flatten(tree)
    for path in re.findall(r"(?<!use )\bcrate::([\w:]+)", text):
        yield tuple(path.split("::"))


def exports(text):
    """What a mod.rs re-exports from its files: the name, and the file it comes from."""
    for tree in re.findall(r"\buse self::([^;]*);", text):
        for path in flatten(tree):
            yield path[-1], path[:-1]


def circles(graph):
    """The strongly connected parts with more than one file (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = set()
            while node not in part:
                part.add(stack.pop())
            if len(part) > 1:
                found.append(part)

    sys.setrecursionlimit(10_000)
    for node in graph:
        if node not in index:
            visit(node)
    return found


def defining_file(target, files, exported):
    """The file that defines what a path names: re-exports are followed."""
    for length in range(len(target), 0, -1):
        module, rest = target[:length], target[length:]
        if module in files:
            if rest and rest[0] in exported[module]:
                return defining_file(module + exported[module][rest[0]], files, exported)
            return module
    return None


def main():
    files = {module_of(path): path for path in SRC.rglob("*.rs")}
    files = {module: path for module, path in files.items() if module and module[0] in RANK}
    errors = []
    graph = {module: set() for module in files}
    exported = {module: dict(exports(code(path))) for module, path in files.items()}
    for module, path in sorted(files.items()):
        for target in imports(code(path)):
            top = target[0]
            if top not in RANK:
                if top[0].isupper():
                    errors.append(f"{path}: crate::{top} (name the module that defines it)")
                continue
            here, there = RANK[module[0]], RANK[top]
            peers = here == there and top != module[0] and here > 0
            if there > here or peers:
                errors.append(f"{path}: crate::{'::'.join(target)} is not below {module[0]}")
            graph[module].add(defining_file(target, files, exported))
        graph[module] -= {module, None}
    for circle in circles(graph):
        names = frozenset("::".join(module) for module in circle)
        if names not in CIRCLES:
            errors.append("a circle of files: " + ", ".join(sorted(names)))
    for error in errors:
        print(error)
    print(f"{len(files)} files, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
