"""Importing a module of the product changes no environment variable and starts no thread or process."""

import json
import os
import subprocess
import sys

from tests.paths import PYTHONPATH
from tests.structure.test_layers import J, T, sources

THIRD_PARTY = ("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "TORCHINDUCTOR_CACHE_DIR")
"""What torch sets as it is imported."""

IMPORT_ALL = """
import importlib, json, os, sys, threading
found = []
names, ignored = json.load(sys.stdin)
for name in names:
    before = dict(os.environ)
    importlib.import_module(name)
    changed = {key for key in before.keys() | os.environ if before.get(key) != os.environ.get(key)}
    if changed := changed - set(ignored):
        found.append(f"{name} changes {sorted(changed)}")
    if threading.active_count() > 1:
        found.append(f"{name} starts {threading.enumerate()[1:]}")
    try:
        os.waitpid(-1, os.WNOHANG)
        found.append(f"{name} starts a process")
    except ChildProcessError:
        pass
print(json.dumps(found))
"""


def test_no_import_changes_the_environment_or_starts_a_thread() -> None:
    modules = [
        name
        for name, _ in sources()
        if name.split(".")[0] in (J, T) and not name.endswith("__main__")
    ]
    assert len(modules) > 200
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        input=json.dumps([modules, THIRD_PARTY]),
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
