#!/usr/bin/env python3
"""Checks that every public item has an example in its documentation that runs and shows it.

Items are types, traits, functions, methods, and the methods of public traits; not fields, variants, constants and
implementations of traits. An example shows a function or a method if it contains its name. The example may stand at
another item if the documentation links to that item with the text "example": getters of one type share an example.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target" / "doc_examples"

# Items without an example that runs, with the reason.
ALLOWED = {
    "sleep": "useful in a coroutine only; docs/explanation/coroutines.md has its examples",
    "StopSignal": "the argument of Server::shutdown_on, which has an example",
}

TYPES = {"struct", "enum", "trait", "type_alias", "union"}
FENCE = re.compile(r"^ *```([^\n`]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# Attributes of code blocks that run. An empty list is one of them.
RUNNING = {"rust", "should_panic", "edition2024", "ignore-windows"}


def documentation():
    """Returns rustdoc's description of the crate. Its format is unstable, so stable tools need a permission."""
    flags = "-Zunstable-options --output-format json"
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTDOCFLAGS": flags, "CARGO_TARGET_DIR": str(TARGET)}
    subprocess.run(["cargo", "doc", "--locked", "--no-deps", "--all-features", "--quiet"], cwd=ROOT, env=environment, check=True)
    return json.loads((TARGET / "doc" / "socketserver.json").read_text())


def public_items(index, root):
    """Yields the path, the kind and the entry of every public item of this crate."""
    seen = set()

    def visit(number, path):
        item = index.get(str(number))
        if item is None or number in seen:
            return
        kind, inner = next(iter(item["inner"].items()))
        if kind == "use":
            if inner["id"] is not None:
                yield from visit(inner["id"], path)
            return
        seen.add(number)
        name = [*path, item["name"]] if item["name"] else path
        if kind == "module":
            for child in inner["items"]:
                yield from visit(child, name)
        elif kind in TYPES:
            yield name, kind, item
            if kind == "trait":
                for child in inner["items"]:
                    yield from visit(child, name)
            for child in inner.get("impls", []):
                implementation = index[str(child)]["inner"]["impl"]
                if implementation["trait"] is None:
                    for method in implementation["items"]:
                        yield from visit(method, name)
        elif kind in {"function", "macro"}:
            yield name, kind, item

    yield from visit(root, [])


def examples(item):
    """Returns the code blocks of an item that run."""
    blocks = FENCE.findall(item["docs"] or "")
    return [code for attributes, code in blocks if set(re.split(r"[ ,]+", attributes)) - {""} <= RUNNING]


def has_example(index, kind, item):
    shown = examples(item)
    for text, target in re.findall(r"\[([Ee]xample)\]\(([^)]+)\)", item["docs"] or ""):
        number = item["links"].get(target)
        if number is not None and str(number) in index:
            shown += examples(index[str(number)])
    if kind in TYPES:
        return bool(shown)
    return any(re.search(rf"\b{item['name']}\b", code) for code in shown)


def main():
    description = documentation()
    index = description["index"]
    missing, count, allowed = [], 0, set()
    for path, kind, item in public_items(index, description["root"]):
        count += 1
        name = "::".join(path[1:])
        if has_example(index, kind, item):
            continue
        if name in ALLOWED:
            allowed.add(name)
            continue
        span = item["span"]
        missing.append(f"{span['filename']}:{span['begin'][0]}: {name} has no example")
    missing += [f"{name} has an example, and is in the list of those without" for name in ALLOWED.keys() - allowed]
    print("\n".join(sorted(missing)))
    print(f"{count} public items, {len(missing)} without an example")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
