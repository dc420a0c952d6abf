#!/usr/bin/env bash
# ONNX Runtime: a forked process that frees a session of its parent's waits for ever.
#
# A session with two threads or more that do not spin ("session.intra_op.allow_spinning" = "0", as servers want it), made
# before fork(): in the child its threads are gone. That running it there hangs is to be expected; but so does dropping
# the last reference to it, since its destructor waits for those threads. A child that wants a session of its own must
# make a new one and keep the old one. With threads that spin, or with one, the old one can be dropped.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2
cat >"$folder/fork.py" <<'PYTHON'
import os
import sys

import onnx
import onnxruntime
from onnx import TensorProto, helper

given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "negative", [given], [made])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[1])
options.add_session_config_entry("session.intra_op.allow_spinning", sys.argv[2])
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
child = os.fork()
if child == 0:
    if sys.argv[3] == "free":
        del session
    os._exit(0)
os.waitpid(child, 0)
PYTHON
seen() {
    if timeout --kill-after=1 20 "$folder/venv/bin/python" "$folder/fork.py" "$@"; then echo ends; else echo hangs; fi
}
echo "onnxruntime $("$folder/venv/bin/python" -c 'import onnxruntime; print(onnxruntime.__version__)')"
one=$(seen 1 0 free) spinning=$(seen 2 1 free) kept=$(seen 2 0 keep) freed=$(seen 2 0 free)
echo "freed in the child: one thread $one, two that spin $spinning, two that sleep $freed; two that sleep, kept: $kept"
[ "$one $spinning $kept $freed" = "ends ends ends hangs" ]
