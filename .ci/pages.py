#!/usr/bin/env python3
"""Checks the pages of the repository.

- The target of each link exists, and so does each page that a source names.
- No page of `docs` is too long, and `SUMMARY.md`, the contents of the site in one language, lists each page of this
  language once.
- Links from Chinese pages to English pages are marked as such.
- The index of the how-to pages links to each of their sections.

A target is a file and, after `#`, the anchor that GitHub and mdBook generate for a heading. Links to other
sites are not followed.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

DOCS = ROOT / "docs"
HOW_TO = DOCS / "how-to"
CHINESE = DOCS / "zh"
MOST_LINES = 420

FENCE = re.compile(r"^\s*(```|~~~)")
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$")
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
OTHER_SITE = re.compile(r"[a-z]+:")
# A page, as comments and tests name it.
NAMED = re.compile(r"(?<![\w/.-])(?:docs|benches|models)/(?:[a-z0-9_/-]+|[a-z0-9_/-]*README)\.md")


def tracked(*patterns):
    """Returns the files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in sorted(set(names.splitlines())) if (ROOT / name).is_file()]


def prose(text):
    """Returns the text without its code blocks; each of their lines is empty."""
    lines, fenced = [], False
    for line in text.splitlines():
        if FENCE.match(line):
            fenced = not fenced
            line = ""
        lines.append("" if fenced else line)
    return "\n".join(lines)


def anchors(text):
    """Returns the anchors of the headings. A repeated heading gets a number."""
    found = set()
    for line in prose(text).splitlines():
        if heading := HEADING.match(line):
            kept = "".join(c for c in heading[1] if c.isalnum() or c in " -_")
            anchor = kept.strip().lower().replace(" ", "-")
            number = 0
            name = anchor
            while name in found:
                number += 1
                name = f"{anchor}-{number}"
            found.add(name)
    return found


def links(text):
    """Returns the number of the line and the target of each link."""
    text = CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), prose(text))
    for link in LINK.finditer(text):
        yield text.count("\n", 0, link.start()) + 1, link[1]


def broken_links(page, text):
    for line, target in links(text):
        if OTHER_SITE.match(target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists():
            yield f"{page.relative_to(ROOT)}:{line}: there is no {target}"
        elif anchor and anchor not in anchors(path.read_text()):
            yield f"{page.relative_to(ROOT)}:{line}: {target} has no such heading"


def missing_pages(source, text):
    for number, line in enumerate(text.splitlines(), 1):
        for name in NAMED.findall(line):
            if not (ROOT / name).exists():
                yield f"{source.relative_to(ROOT)}:{number}: there is no {name}"


def too_long(pages):
    for page in pages:
        if DOCS in page.parents and (lines := page.read_text().count("\n")) > MOST_LINES:
            yield f"{page.relative_to(ROOT)} has {lines} lines, more than {MOST_LINES}"


def not_listed(pages, folder, others=None):
    """Returns the pages of a language that are not listed once in the contents of its site."""
    summary = folder / "SUMMARY.md"
    listed = [(folder / target).resolve() for _, target in links(summary.read_text())]
    for page in pages:
        is_of_site = folder in page.parents and others not in page.parents and page != summary
        if is_of_site and listed.count(page) != 1:
            yield f"{summary.relative_to(ROOT)} lists {page.relative_to(ROOT)} {listed.count(page)} times"


def not_marked(pages):
    """Returns the links of Chinese pages to English ones that are not followed by a mark. A heading or the head of a
    table can mark all links below it."""
    for page in pages:
        if CHINESE not in page.parents:
            continue
        above = ""
        for number, line in enumerate(prose(page.read_text()).splitlines(), 1):
            if line.startswith("#"):
                above = line
            elif line.startswith("|") and "英文" in line:
                above = line
            for link in LINK.finditer(line):
                target = (page.parent / link[1].partition("#")[0]).resolve()
                is_english = DOCS in target.parents and CHINESE not in target.parents and target.suffix == ".md"
                if is_english and "英文" not in above and not line[link.end() :].startswith("（英文）"):
                    yield f"{page.relative_to(ROOT)}:{number}: {link[1]} is English and not marked （英文）"


def not_in_index(pages):
    """Returns the sections of the how-to pages that their index does not link to."""
    index = HOW_TO / "README.md"
    indexed = {target for _, target in links(index.read_text())}
    for page in pages:
        if page.parent == HOW_TO and page != index:
            sections = [line[3:] for line in prose(page.read_text()).splitlines() if line.startswith("## ")]
            for anchor in anchors("\n".join(f"## {section}" for section in sections)):
                if f"{page.name}#{anchor}" not in indexed:
                    yield f"docs/how-to/README.md has no link to {page.name}#{anchor}"


def main():
    errors = []
    pages = tracked("*.md")
    for page in pages:
        errors += broken_links(page, page.read_text())
    for source in tracked("*.md", "*.rs", "*.py", "*.toml", ".ci/*"):
        errors += missing_pages(source, source.read_text())
    errors += [*too_long(pages), *not_listed(pages, DOCS, CHINESE), *not_listed(pages, CHINESE)]
    errors += [*not_marked(pages), *not_in_index(pages)]
    print("\n".join(errors) or f"{len(pages)} pages: each link has a target, each page is listed")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
