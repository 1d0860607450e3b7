"""Runs every function of a program that stands below its main part, so that one
start of Python answers for many questions."""
import sys
import time
import traceback


def run(functions):
    """Runs functions one after the other, and ends with 1 if any has failed."""
    failed = []
    for function in functions:
        started = time.monotonic()
        try:
            function()
            print(f"ok {function.__name__} {time.monotonic() - started:.2f}s", flush=True)
        except Exception:
            failed.append(function.__name__)
            print(f"FAILED {function.__name__}\n{traceback.format_exc()}", flush=True)
    if failed:
        sys.exit("failed: " + " ".join(failed))
    print(f"all {len(functions)} passed", flush=True)
