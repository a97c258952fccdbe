#!/usr/bin/env python3
"""Writes src/documentation.rs: the list of the pages whose code blocks are tests. Run it after adding a page."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Pages whose code needs a feature. `cargo test --doc` without it leaves them out.
FEATURES = {
    "docs/how-to/proxies.md": "proxy-protocol",
    "docs/how-to/tls-certificates.md": "tls",
    "docs/how-to/tls.md": "tls",
    "docs/tutorial/21-tls.md": "tls",
}

# Pages about what Windows lacks, or whose code starts programs that it lacks. Single blocks elsewhere have the attribute
# `ignore-windows`.
UNIX = {"docs/how-to/processes.md", "docs/how-to/subprocesses.md", "docs/how-to/unix-sockets.md"}


def main():
    pages = sorted(page.relative_to(ROOT).as_posix() for page in ROOT.glob("docs/**/*.md"))
    # The other two are a list of links, and translations with the code of the English pages.
    pages = ["README.md"] + [page for page in pages if page != "docs/SUMMARY.md" and not page.startswith("docs/zh/")]
    lines = ["//! The README and the pages of `docs/`, included so that their code blocks run as tests."]
    lines += ["//! `.ci/documentation.py` writes this file.", ""]
    for page in pages:
        name = re.sub(r"\W", "_", page.removesuffix(".md").lower())
        if feature := FEATURES.get(page):
            lines += [f'#[cfg(feature = "{feature}")]']
        if page in UNIX:
            lines += ["#[cfg(unix)]"]
        lines += [f'#[doc = include_str!("../{page}")]', f"mod {name} {{}}"]
    (ROOT / "src/documentation.rs").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
