"""Makes sure that the module `wit_world` is there.

Within a component componentize-py provides it. Under plain Python, for tests, it is generated once, beside this package.
"""

import importlib.util
import pathlib
import shutil
import subprocess
import sys


def _provide() -> None:
    sdk = pathlib.Path(__file__).resolve().parents[2]
    wit, made = sdk / "wit", sdk / "python" / ".bindings"
    newest = max(file.stat().st_mtime for file in wit.glob("*.wit"))
    if not made.is_dir() or made.stat().st_mtime < newest:
        shutil.rmtree(made, ignore_errors=True)
        subprocess.run([_tool(), "-q", "-d", wit, "-w", "step", "bindings", made], check=True)
    sys.path.append(str(made))


def _tool() -> str:
    beside = pathlib.Path(sys.executable).with_name("componentize-py")
    tool = str(beside) if beside.exists() else shutil.which("componentize-py")
    if tool is None:
        raise ImportError(
            "componentize-py is not installed: python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1"
        )
    return tool


if importlib.util.find_spec("wit_world") is None:
    _provide()
