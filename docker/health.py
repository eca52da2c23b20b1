#!/usr/bin/env python3
"""Exit code 0 where the server in this container is up."""

import os
import sys
import urllib.request

PORT = os.environ.get("EARMARK_PORT", "8010")

try:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api/v1/health", timeout=4) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except OSError as e:
    sys.exit(f"no answer: {e}")
