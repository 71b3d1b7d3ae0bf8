"""The verbs, as a user runs them: in a process of their own."""

import json
import os
import subprocess
import sys


def run(*arguments, cwd=None, env=None):
    return subprocess.run(
        [sys.executable, "-m", "sinefield", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", **(env or {})},
        timeout=120,
    )


def report(*arguments, cwd=None):
    """The JSON object that a verb prints as its last line."""
    done = run(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
