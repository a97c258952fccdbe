#!/usr/bin/env python3
"""Runs test programs that were built for another system, but for the tests that a list excuses.

usage: tests.py BUILD ROOT LIST SECONDS [RUNNER...]

BUILD is what `cargo build --message-format json` printed, and ROOT is put before the paths in it. LIST has a line
`NAME: REASON` for each test that is not run; a name that ends in `::` stands for a module. All of it may take
SECONDS. RUNNER is the program that runs the others, and its arguments.
"""

import json
import os
import subprocess
import sys
import time

# Characters of test names in one command; Windows allows 32,767 for a whole command.
BATCH = 24_000


def programs(build, root):
    for line in open(build):
        artifact = json.loads(line)
        if artifact.get("executable") and artifact["profile"]["test"]:
            yield artifact["target"]["name"], root + artifact["executable"]


def excused(path):
    for number, line in enumerate(open(path), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            name, separator, reason = line.partition(": ")
            if not separator or not reason:
                sys.exit(f"{path}:{number}: a test and its reason are expected, as `NAME: REASON`")
            yield name


def is_for(name, test):
    return test.startswith(name) if name.endswith("::") else test == name


def batches(tests):
    batch, length = [], 0
    for test in tests:
        if length + len(test) > BATCH:
            yield batch
            batch, length = [], 0
        batch.append(test)
        length += len(test) + 1
    if batch:
        yield batch


def main():
    build, root, path, seconds, *runner = sys.argv[1:]
    end = time.monotonic() + float(seconds)
    # Which tests run must not depend on who calls. Backtraces of panics on purpose take seconds in large programs.
    left_out = ("CI", "SOCKETSERVER_TESTS", "RUST_BACKTRACE")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    # Most tests wait most of the time; Wine has one process that serves all others.
    environment.setdefault("RUST_TEST_THREADS", "8" if runner else "16")

    def run(*command, **options):
        left = end - time.monotonic()
        # A list of tests is short; it gets some time even if the tests before it had none left.
        options |= {"env": environment, "stdin": subprocess.DEVNULL, "timeout": max(left, 5)}
        return subprocess.run([*runner, *command], **options)

    names = set(excused(path))
    unused, failed, count = set(names), [], 0
    for program, executable in programs(build, root):
        listed = run(executable, "--list", "--format", "terse", stdout=subprocess.PIPE, text=True, check=True).stdout
        tests = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
        unused -= {name for name in names if any(is_for(name, test) for test in tests)}
        tests = [test for test in tests if not any(is_for(name, test) for name in names)]
        count += len(tests)
        for batch in batches(tests):
            try:
                status = run(executable, "--exact", *batch).returncode
            except subprocess.TimeoutExpired:
                status = f"more than {seconds} s"
            if status != 0:
                failed.append(f"{program}: {status}")
    failed += [f"{path}: there is no test {name}" for name in sorted(unused)]
    for line in failed:
        print(line)
    print(f"{count} tests of {build}: {'failed' if failed else 'passed'}")
    sys.exit(bool(failed or not count))


if __name__ == "__main__":
    main()
