"""Training in torch: data, quantisers, networks, recipes, and the export of integers to golden's artefact."""

import os

# Before torch loads OpenMP, whose threads otherwise spin at barriers: where the cores are shared with other work, steps
# then take ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
