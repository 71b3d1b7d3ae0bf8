"""The commands in this process: what a user types, without the start of an interpreter for each call."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from typing import NamedTuple

from sinefield.cli.main import run as run_command


class Done(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments, cwd=None, env=None):
    """Run a command on a terminal of 80 columns."""
    before, folder = dict(os.environ), os.getcwd()
    stdout, stderr = io.StringIO(), io.StringIO()
    words = [str(each) for each in arguments]
    try:
        os.environ.update({"COLUMNS": "80", **(env or {})})
        os.chdir(cwd or folder)
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = run_command(words, quiet=bool({"--quiet", "-q"} & set(words)))
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)
    return Done(code, stdout.getvalue(), stderr.getvalue())


def start(*arguments, cwd=None, env=None):
    """Start a command in a process of its own, which Ctrl-C reaches even if it does not reach the test run."""
    return subprocess.Popen(
        [sys.executable, "-m", "sinefield", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def report(*arguments, cwd=None):
    """Return the JSON object that a command prints on its last line."""
    done = run(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
