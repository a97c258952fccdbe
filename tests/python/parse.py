"""Parses programs: pairs of a place and a text, each ended by a zero byte. Prints the errors."""

import ast
import sys

parts = sys.stdin.read().split("\0")
for place, text in zip(parts[::2], parts[1::2]):
    try:
        ast.parse(text)
    except SyntaxError as error:
        print(f"{place}, line {error.lineno} of the block: {error.msg}")
