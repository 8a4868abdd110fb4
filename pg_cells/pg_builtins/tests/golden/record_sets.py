#!/usr/bin/env python3
"""Records set-returning functions, as record.py does for expressions."""

import sys
from record import answer

for name in sys.argv[1:]:
    out = []
    for line in open(name):
        line = line.rstrip("\n")
        if line.startswith("#"):
            out.append(line)
        elif not line.startswith(("=", "!")):
            out += [line, answer(f"(select array_agg(x::text) from {line} x)")]
    open(name, "w").write("\n".join(out) + "\n")
