#!/bin/bash
# Prints a Python 3 of this machine whose minor version is between $1 and $2,
# python3 before others; nothing if there is none.
for python in python3 $(for minor in $(seq "$2" -1 "$1"); do echo "python3.$minor"; done); do
  "$python" -c "import sys, venv, ensurepip; sys.exit(not (3, $1) <= sys.version_info[:2] <= (3, $2))" 2>/dev/null &&
    { echo "$python"; exit; }
done
exit 0
