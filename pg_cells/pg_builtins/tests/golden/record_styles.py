#!/usr/bin/env python3
"""Records expressions under a setting, as record.py does under the defaults."""

import sys
from record import ask

for name in sys.argv[1:]:
    out = []
    for line in open(name):
        line = line.rstrip("\n")
        if line.startswith("#"):
            out.append(line)
        elif not line.startswith("="):
            setting, expression = line.split(" | ", 1)
            key, value = setting.split("=", 1)
            answer, error = ask(f"set {key} = '{value}'; select {expression}")
            out += [line, "= " + (error or answer.split("\n", 1)[1])]
    open(name, "w").write("\n".join(out) + "\n")
