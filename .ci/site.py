#!/usr/bin/env python3
"""Completes the site that mdBook has built: python3 .ci/site.py DIRECTORY

Links to files outside `docs` become plain text, because the site does not have these files. Every other link must
have its target in the site.
"""

import html
import pathlib
import re
import sys

# A link of a page's text. mdBook's own links, such as those of the menu, have a class or a title.
LINK = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.DOTALL)
IDENTIFIER = re.compile(r'\bid="([^"]*)"')
OTHER_SITE = re.compile(r"[a-z]+:")


def main(directory):
    site = pathlib.Path(directory).resolve()
    pages = {page: page.read_text() for page in site.rglob("*.html")}
    errors = []

    for page, text in pages.items():

        def checked(link):
            target = html.unescape(link[1])
            if OTHER_SITE.match(target):
                return link[0]
            file, _, anchor = target.partition("#")
            path = (page.parent / file).resolve() if file else page
            if site not in [path, *path.parents]:
                return link[2]
            if not path.exists():
                errors.append(f"{page.relative_to(site)}: there is no {target}")
            elif anchor and path.name != "README.html" and anchor not in IDENTIFIER.findall(pages[path]):
                errors.append(f"{page.relative_to(site)}: {target} has no such heading")
            return link[0]

        completed = LINK.sub(checked, text)
        if completed != text:
            page.write_text(completed)
    (site / "book.toml").unlink(missing_ok=True)
    print("\n".join(errors) or f"{site}: {len(pages)} pages")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
