#!/usr/bin/env python3
"""Completes the site that mdBook has built: python3 .ci/site.py DIRECTORY

- Each Chinese page has mdBook's own words in Chinese, and loads the script that makes the search find Chinese words.
- Each page gets a link to its counterpart in the other language, or to the start page of that language.
- Links to files outside `docs` become plain text, because the site does not have these files. Every other link must
  have its target in the site.
- Files that only the repository needs are removed.
"""

import html
import os
import pathlib
import re
import sys
import urllib.parse

# A link of a page's text. mdBook's own links, such as those of the menu, have a class or a title.
LINK = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.DOTALL)
IMAGE = re.compile(r'<img src="([^"]*)"')
IDENTIFIER = re.compile(r'\bid="([^"]*)"')
OTHER_SITE = re.compile(r"[a-z]+:")
MENU = '<div class="right-buttons">'

# The script of the search's index. What changes it has to be loaded between it and mdBook's own script.
SEARCH = re.compile(r'(<script src="[^"]*)elasticlunr\.min\.js"></script>')

# The folder of the Chinese pages, and those of its pages that have another place than their English counterparts.
CHINESE = "zh"
ENGLISH_PAGE = {"strategies.html": "explanation/strategies.html", "how-to.html": "how-to/index.html"}
CHINESE_PAGE = {english: chinese for chinese, english in ENGLISH_PAGE.items()}
# mdBook's own words.
CHINESE_WORDS = {
    ">Auto<": ">自动<",
    ">Light<": ">浅色<",
    ">Rust<": ">棕色<",
    ">Coal<": ">炭黑<",
    ">Navy<": ">深蓝<",
    ">Ayu<": ">墨蓝<",
    "Change theme": "主题",
    "Next chapter": "下一章",
    "Previous chapter": "上一章",
    "Toggle Table of Contents": "目录",
    "Toggle Searchbar": "搜索",
    "Search (`/`)": "搜索（/）",
    "Search this book ...": "搜索……",
    "Keyboard shortcuts": "快捷键",
    "Press <kbd>←</kbd> or <kbd>→</kbd> to navigate between chapters": "<kbd>←</kbd>、<kbd>→</kbd>：上一章、下一章",
    "Press <kbd>S</kbd> or <kbd>/</kbd> to search in the book": "<kbd>S</kbd>、<kbd>/</kbd>：搜索",
    "Press <kbd>?</kbd> to show this help": "<kbd>?</kbd>：显示这个窗口",
    "Press <kbd>Esc</kbd> to hide this help": "<kbd>Esc</kbd>：关闭这个窗口",
}
# Files of the repository that mdBook copies.
SOURCES = ["**/book.toml", "zh/book.css", "pictures/make", "pictures/*.pikchr", "pictures/*.py", "pictures/*.tsv"]


def counterpart(site, page):
    """Returns the page in the other language, and the name and the code of that language."""
    name = page.relative_to(site).as_posix()
    if name.startswith(f"{CHINESE}/"):
        name = name.removeprefix(f"{CHINESE}/")
        folder, other, language = site, ENGLISH_PAGE.get(name, name), ("English", "en")
    else:
        folder, other, language = site / CHINESE, CHINESE_PAGE.get(name, name), ("中文", "zh")
    path = folder / other
    return (path if path.exists() else folder / "index.html"), *language


def with_language_switch(site, page, text):
    other, name, code = counterpart(site, page)
    target = os.path.relpath(other, page.parent)
    link = f'<a class="language" href="{target}" hreflang="{code}" lang="{code}" title="{name}">{name}</a>'
    return text.replace(MENU, MENU + link, 1)


def in_chinese(text):
    head, content, rest = re.split(r"(<main>.*</main>)", text, maxsplit=1, flags=re.DOTALL)
    for english, chinese in CHINESE_WORDS.items():
        head, rest = head.replace(english, chinese), rest.replace(english, chinese)
    return SEARCH.sub(r'\g<0>\n        \1search.js"></script>', head + content + rest, count=1)


def main(directory):
    site = pathlib.Path(directory).resolve()
    for pattern in SOURCES:
        for file in site.glob(pattern):
            file.unlink()
    pages = {page: page.read_text() for page in site.rglob("*.html")}
    errors = []

    for page, text in pages.items():
        place = page.relative_to(site)

        def checked(link):
            target = html.unescape(link[1])
            if OTHER_SITE.match(target):
                return link[0]
            file, _, anchor = urllib.parse.unquote(target).partition("#")
            path = (page.parent / file).resolve() if file else page
            if site not in [path, *path.parents]:
                return link[2]
            if path.name == "README.html":  # mdBook names these pages index.html
                path = path.with_name("index.html")
                target = re.sub(r"README\.html", "index.html", target)
            if not path.exists():
                errors.append(f"{place}: there is no {target}")
            elif anchor and anchor not in IDENTIFIER.findall(pages[path]):
                errors.append(f"{place}: {target} has no such heading")
            return f'<a href="{html.escape(target)}">{link[2]}</a>'

        for image in IMAGE.findall(text):
            if not (page.parent / image).exists():
                errors.append(f"{place}: there is no {image}")
        completed = LINK.sub(checked, text)
        if place.name not in ["toc.html", "404.html"]:
            if MENU not in completed:
                errors.append(f"{place}: there is no place for the link to the other language")
            completed = with_language_switch(site, page, completed)
        if site / CHINESE in page.parents and place.name != "toc.html":
            completed = in_chinese(completed)
        if completed != text:
            page.write_text(completed)
    print("\n".join(errors) or f"{site}: {len(pages)} pages")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
