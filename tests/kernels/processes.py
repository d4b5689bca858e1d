"""Running a program in a process of its own."""

import os
import subprocess
import sys


def run(code, **environment):
    """The words that a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
