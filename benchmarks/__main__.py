"""Run every benchmark, one after the other: ``python -m benchmarks``."""

import pkgutil
import subprocess
import sys

import benchmarks

for module in pkgutil.iter_modules(benchmarks.__path__):
    if module.name != "__main__":
        print(f"--- {module.name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{module.name}"], check=True)
