#!/usr/bin/env python3
"""Records aggregates over arrays, as record.py does for expressions."""

import sys
from record import answer

for name in sys.argv[1:]:
    out = []
    for line in open(name):
        line = line.rstrip("\n")
        if line.startswith("#"):
            out.append(line)
        elif not line.startswith(("=", "!")):
            aggregate, kind, array = line.split(" ", 2)
            out += [line, answer(f"(select {aggregate}(x) from unnest('{array}'::{kind}[]) x)")]
    open(name, "w").write("\n".join(out) + "\n")
