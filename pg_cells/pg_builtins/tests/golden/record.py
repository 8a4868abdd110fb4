#!/usr/bin/env python3
"""Records what a PostgreSQL 15 server answers to the expressions of the golden files.

Usage: record.py FILE... with PGHOST, PGPORT, PGUSER set (a server in UTC, collation C).
Each line of a file that does not start with `=`, `!` or `#` is an expression; the line
behind it becomes `= TYPE VALUE` or `! SQLSTATE MESSAGE`. The test beside this reads the same.
"""

import re
import subprocess
import sys


def ask(sql):
    run = subprocess.run(
        ["psql", "-AtX", "-v", "VERBOSITY=verbose", "-P", "null=NULL", "-c", sql],
        capture_output=True, text=True)
    return run.stdout[:-1], run.stderr


def answer(expression):
    value, error = ask(f"select {expression}")
    if error:
        found = re.search(r"ERROR:\s+(\w{5}): (.*)", error)
        return f"! {found.group(1)} {found.group(2)}"
    kind, _ = ask(f"select pg_typeof({expression})")
    value = value.replace("\\", "\\\\").replace("\n", "\\n")
    return f"= {kind.splitlines()[0]} | {value}"


def main():
    for name in sys.argv[1:]:
        out = []
        for line in open(name):
            line = line.rstrip("\n")
            if line.startswith("#") or not line:
                out.append(line)
            elif not line.startswith(("=", "!")):
                out += [line, answer(line)]
        open(name, "w").write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
