"""Run every benchmark, one after the other: ``python -m benchmarks``.

Not `benchmarks.model_card`, which takes hours and labelled music.
"""

import pkgutil
import subprocess
import sys

import benchmarks

LEFT_OUT = ("__main__", "_card_numbers", "_memory", "model_card")

for module in pkgutil.iter_modules(benchmarks.__path__):
    if module.name not in LEFT_OUT:
        print(f"--- {module.name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{module.name}"], check=True)
