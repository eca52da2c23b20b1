"""Training of networks; torch and Lightning Fabric are imported here alone."""

import os

# Threads of a numerical library that spin while they wait slow each other down by as much as seven
# times where the processor has anything else to do. Read when torch is first loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
