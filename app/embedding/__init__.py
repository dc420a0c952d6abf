"""Pictures and the models that turn them into vectors. The only part that knows torch and transformers.

Importing this package loads no model and imports no torch.
"""

import os

# OpenMP's default is to spin while it waits. With PostgreSQL busy on the same cores that made a forward pass 6 to 33
# times slower; it is read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
