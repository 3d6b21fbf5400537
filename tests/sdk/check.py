"""The checks: stock SDKs on one side, simulated upstreams of either dialect on the other.

    check.py URL_WITHOUT_KEYS URL_WITH_KEYS KEY NARROW_KEY [WORD …]

Prints a line for each check and ends with their number; the exit code says whether all passed.
"""

import sys
import traceback
from pathlib import Path

import check_anthropic
import check_openai
from common import Gateway


def main():
    gateway = Gateway(*sys.argv[1:5])
    words = sys.argv[5:]
    passed, failed = 0, []
    for sdk in (check_openai, check_anthropic):
        for name, check in sdk.checks(gateway):
            if not all(word in name for word in words):
                continue
            try:
                check()
            except Exception as error:
                failed.append(name)
                print(f"FAILED {name}\n{told(error)}", flush=True)
            else:
                passed += 1
                print(f"ok {name}", flush=True)
    print(f"{passed} passed, {len(failed)} failed")
    for name in failed:
        print(f"  {name}")
    return 1 if failed or not passed else 0


def told(error):
    """The error and where in the checks it arose; what the SDKs do inside is of no help."""
    here = str(Path(__file__).parent)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(here)]
    places = "\n".join(f"    {Path(f.filename).name}:{f.lineno}: {f.line}" for f in frames[1:])
    return f"    {type(error).__name__}: {error}\n{places}"


if __name__ == "__main__":
    sys.exit(main())
