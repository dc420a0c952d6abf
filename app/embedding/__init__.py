"""Pictures and the models that turn them into vectors. The only part that knows ONNX Runtime, torch and transformers.

Importing this package loads no model and imports none of them.
"""

import os

# OpenMP's default is to spin while it waits, which makes a forward pass many times slower where PostgreSQL is busy on
# the same cores. The variable is read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
