"""The two contenders: how their servers are built and started."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Contender:
    """A contender's name, and the command that starts each kind of its servers."""

    name: str
    commands: dict[str, list[str]]
    is_python: bool


def cpython():
    kinds = ["echo", "datagram", "hooks"]
    commands = {kind: [sys.executable, "-B", str(HERE / "python" / f"{kind}.py")] for kind in kinds}
    version = sys.version_info
    return Contender(f"CPython {version.major}.{version.minor}", commands, True)


def socketserver(release):
    """Builds the servers of the crate."""
    command = ["cargo", "build", "--locked", "--message-format=json"]
    command += ["--manifest-path", str(HERE / "Cargo.toml")] + ["--release"] * release
    built = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    messages = map(json.loads, built.stdout.splitlines())
    commands = {
        message["target"]["name"]: [message["executable"]]
        for message in messages
        if message["reason"] == "compiler-artifact" and message["executable"]
    }
    return Contender("socketserver", commands, False)
