"""Many pictures through a network, a batch at a time, on a device whose memory may be short."""

from collections.abc import Callable, Sequence
from typing import Any

from app.domain.errors import Unavailable

SIZES = {"cpu": 8, "mps": 16, "cuda": 32}  # pictures a batch; on few cores larger ones were measured to be slower


def in_rounds(torch: Any, device: Any, items: Sequence[Any], forward: Callable[[Sequence[Any]], Any]) -> list[Any]:
    """Return what `forward` gives of all items, a tensor a batch, in order, none of them recording gradients.

    A batch that the device has no memory for is halved, and so are those after it in this call.

    Raises:
        Unavailable: there is no memory for even one.

    """
    made: list[Any] = []
    size = SIZES[device.type]
    start = 0
    while start < len(items):
        try:
            with torch.inference_mode():
                made.append(forward(items[start : start + size]))
        except torch.OutOfMemoryError as error:
            if size == 1:
                raise Unavailable(
                    "the GPU's memory is full: the model has no room for even one picture; try again later, or give the"
                    " model a GPU of its own (LOOKALIKE_MODEL_DEVICE)"
                ) from error
        else:
            start += size
            continue
        # Past the handler: while an error is being handled, its frames keep the batch's tensors.
        size //= 2
        torch.cuda.empty_cache()
    return made
