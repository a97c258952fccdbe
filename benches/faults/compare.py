#!/usr/bin/env python3
"""Compares how servers of CPython's socketserver and of this crate behave under the same faults.

Prints a Markdown table.

    $ python3 benches/faults/compare.py              # all faults, in less than three minutes
    $ python3 benches/faults/compare.py --only hooks --only restart
    $ python3 benches/faults/compare.py --rounds 30  # more samples of the times that vary
    $ python3 benches/faults/compare.py --smoke      # checks in seconds that each measurement runs
"""

import argparse
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

from comparison import contender, plan
from comparison.faults import FAULTS


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10, help="samples of each time (10)")
    parser.add_argument("--only", action="append", choices=FAULTS, help="may be repeated")
    parser.add_argument("--smoke", action="store_true", help="one short round; ignore the figures")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    measured = plan.smoke() if arguments.smoke else plan.full(arguments.rounds)
    contenders = [contender.cpython(), contender.socketserver(release=not arguments.smoke)]
    return compare(contenders, measured, arguments.only or FAULTS)


def compare(contenders, measured, names):
    """Prints the table. Returns the number of faults that could not be measured."""
    failed = 0
    print("| | " + " | ".join(each.name for each in contenders) + " |")
    print("| --- |" + " --- |" * len(contenders), flush=True)
    with ThreadPoolExecutor(measured.jobs) as executor:
        begun = {
            name: [executor.submit(FAULTS[name], each, measured) for each in contenders]
            for name in names
        }
        for name, figures in begun.items():
            try:
                figures = [each.result() for each in figures]
            except Exception:  # continues with the next fault
                traceback.print_exc()
                print(f"| {name} |" + " FAILED |" * len(contenders), flush=True)
                failed += 1
                continue
            for question, *row in zip(figures[0], *(each.values() for each in figures)):
                print(f"| {question} | " + " | ".join(row) + " |", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
