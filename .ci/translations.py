#!/usr/bin/env python3
"""Prints which Chinese pages have fallen behind the English ones.

    .ci/translations.py                 a line for each section that has changed; the exit status is 0
    .ci/translations.py --accept PAGE   records that PAGE agrees with the English text of today
    .ci/translations.py --links         corrects links to pages and sections that have moved
    .ci/translations.py --blocks        copies changed code blocks, into pages that have all blocks of their sections

A Chinese page begins with a comment for each English section that it translates:

    <!-- English: docs/tutorial/06-threads.md, "Threads", text 0123456789ab -->

The digits are a hash of the section's text. Heading levels, line breaks, the targets of links and links to
the next chapter do not count, so a section that is moved to a page of its own keeps its hash. A section that
is not on the named page any more is looked for on the others.
"""

import hashlib
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHINESE = sorted((ROOT / "docs/zh").rglob("*.md")) + [ROOT / "README.zh-CN.md"]
ENGLISH = [ROOT / "README.md"] + sorted(set((ROOT / "docs").rglob("*.md")) - set(CHINESE))
SOURCE = re.compile(r'<!-- English: (\S+), "(.+?)", text (\S*) -->')
BLOCK = re.compile(r"^```\w.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#([^)\s]+))?\)")


def headings(text):
    """Returns the number of each line with a heading, its level and its words. Code has none."""
    found, code = [], False
    for number, line in enumerate(text.splitlines()):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code and (match := re.match(r"(#+) +(.*)", line)):
            found.append((number, len(match[1]), match[2].strip()))
    return found


def section(text, name):
    """Returns the section of that name, to the next heading of its level or a higher one."""
    lines, start = text.splitlines(), None
    for number, level, words in headings(text):
        if start is not None and level <= start[1]:
            return "\n".join(lines[start[0] : number])
        if start is None and words == name:
            start = (number, level)
    return None if start is None else "\n".join(lines[start[0] :])


def find(page, name):
    """Returns the page that has the section, and the section's text: the named page, else one with that title,
    else any."""
    titled = [path for path in ENGLISH if (1, name) in {heading[1:] for heading in headings(path.read_text())}]
    for path in [ROOT / page] + titled + ENGLISH:
        text = section(path.read_text(), name) if path.is_file() else None
        if text is not None:
            return str(path.relative_to(ROOT)), text
    return page, None


def fingerprint(text):
    text = re.sub(r"^#+ ", "", text, flags=re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"^Next: \[.*", "", text, flags=re.MULTILINE)
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:12]


def anchors(path):
    """Returns the anchors that GitHub generates for the headings of a page."""
    words = (re.sub(r"[^\w -]", "", words).lower() for _, _, words in headings(path.read_text()))
    return {anchor.replace(" ", "-") for anchor in words}


def report():
    behind = 0
    for path in CHINESE:
        for page, name, recorded in SOURCE.findall(path.read_text()):
            page, text = find(page, name)
            if text is None:
                state = "is gone"
            elif fingerprint(text) != recorded:
                state = "has changed"
            else:
                continue
            behind += 1
            print(f'{path.relative_to(ROOT)}: "{name}" of {page} {state}')
    print(f"{len(CHINESE)} Chinese pages, {behind} sections behind")


def accept(path):
    def renew(match):
        page, text = find(match[1], match[2])
        if text is None:
            return match[0]
        return f'<!-- English: {page}, "{match[2]}", text {fingerprint(text)} -->'

    path.write_text(SOURCE.sub(renew, path.read_text()))


def correct_links():
    known = {path: anchors(path) for path in ENGLISH}
    for path in CHINESE:
        def correct(match):
            target, anchor = (path.parent / match[1]).resolve(), match[2]
            if target in CHINESE or target.is_file() and (not anchor or anchor in known.get(target, ())):
                return match[0]
            pages = [page for page in ENGLISH if (anchor in known[page] if anchor else page.name == target.name)]
            if len(pages) != 1:
                print(f"{path.relative_to(ROOT)}: {len(pages)} pages for {match[0][2:-1]}")
                return match[0]
            return f"]({os.path.relpath(pages[0], path.parent)}{f'#{anchor}' if anchor else ''})"

        path.write_text(LINK.sub(correct, path.read_text()))


def copy_blocks():
    for path in CHINESE:
        page = path.read_text()
        sections = [find(file, name)[1] or "" for file, name, _ in SOURCE.findall(page)]
        blocks = [block for text in sections for block in BLOCK.findall(text)]
        if len(blocks) == len(BLOCK.findall(page)):
            following = iter(blocks)
            path.write_text(BLOCK.sub(lambda _: next(following), page))


def main(arguments):
    if arguments[:1] == ["--accept"] and len(arguments) > 1:
        for page in arguments[1:]:
            accept(Path(page).resolve())
    elif arguments == ["--links"]:
        correct_links()
    elif arguments == ["--blocks"]:
        copy_blocks()
    elif not arguments:
        report()
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
