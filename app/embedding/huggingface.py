"""Image models of transformers, by hub id or folder: CLIP, SigLIP (2), DINOv2 and v3, ViT, ConvNeXt and their kin.

Pictures are prepared by the model's own image processor, on its PIL back end, and pooled as `pooling` says. A picture
of sides in more than 8 : 1 gives its middle only, so that a strip does not become a million pixels on its way.
`distance_scale` is that of the default model: what distance means "near duplicate" differs from model to model, and is
best measured on one's own pictures.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.errors import ConfigurationError, InvalidRequest, Unavailable
from app.embedding import hub, pooling
from app.embedding.base import ModelFacts, Prepared, normalised

DTYPES = ("float32", "bfloat16", "float16")
_DISTANCE_SCALE = 62.5
_LONGEST = 8  # sides of a picture, at most, that are prepared whole
_BATCH = {"cpu": 8, "mps": 16, "cuda": 32}
_WORDS = ("tokenizer.json", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt")
_IMAGENET_MEAN, _IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_MASK, _SHAPES = "pixel_attention_mask", "spatial_shapes"  # of SigLIP 2 with pictures of any shape
_EXTRA = 3  # columns that carry those two beside each patch's pixels


def describe(name: str, *, download: bool = False) -> ModelFacts:
    """Return what is known of a model from its configuration; its weights are not read.

    Raises:
        InvalidRequest: no such model is at hand, it is no image model, of a kind not known here, or needs code of its
            own.

    """
    source = hub.locate(name, download=download)
    return _facts(source, hub.read_config(source, download=download))


def knows_text(name: str) -> bool:
    """Say whether a model takes texts as well, from its configuration.

    Raises:
        InvalidRequest: as `describe`.

    """
    source = hub.locate(name)
    return pooling.family_of(name, hub.read_config(source)).pooling == pooling.PROJECTED


def _facts(source: hub.Source, config: Any) -> ModelFacts:
    family = pooling.family_of(source.name, config)
    try:
        dimensions = family.dimensions(config)
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        raise InvalidRequest(f"the configuration of {source.name!r} does not tell how long its vectors are") from error
    return ModelFacts(
        name=source.name,
        revision=f"{hub.revision_of(source)}-{family.pooling}",
        dimensions=dimensions,
        distance_scale=_DISTANCE_SCALE,
        licence=hub.licence_of(source),
    )


class HuggingFace:
    """A model, loaded.

    Args:
        name: `org/name`, `org/name@revision` or a folder.
        threads: CPU threads of a forward pass.
        device: `cpu`, `cuda`, `cuda:1`, `mps`; by itself CUDA, else MPS, else the CPU.
        dtype: `float32`, `bfloat16` or `float16`, of weights and computing. Vectors are float32 in any case.
        download: whether files that are not in the cache may be fetched; `HF_HUB_OFFLINE=1` forbids it all the same.

    Raises:
        InvalidRequest: no such model is at hand, it is no image model, needs code of its own, has no image processor
            or not all weights, or gives no finite vectors.
        ConfigurationError: there is no such device or number type.

    """

    def __init__(
        self,
        name: str,
        threads: int = 1,
        *,
        device: str | None = None,
        dtype: str = "float32",
        download: bool = False,
    ) -> None:
        import torch  # noqa: PLC0415  (seconds of importing, only where a model is used)

        self._torch = torch
        self._threads = threads
        self._device = _device(torch, device)
        if dtype not in DTYPES:
            raise ConfigurationError(f"there is no number type {dtype!r} for models; there are {', '.join(DTYPES)}")
        self._dtype = getattr(torch, dtype)
        self._source = hub.locate(name, download=download)
        self._download = download
        self._config = hub.read_config(self._source, download=download)
        self._family = pooling.family_of(name, self._config)
        self.facts = _facts(self._source, self._config)
        self._processor = self._load_processor()
        self._network = self._load_network()
        self._tokenizer: Any = None
        self._lock = threading.Lock()
        self._try()

    @property
    def knows_text(self) -> bool:
        """Whether `embed_text` has an answer."""
        return self._family.pooling == pooling.PROJECTED

    def prepare(self, picture: Image.Image) -> Prepared:
        """Return what the image processor makes of an RGB picture, float32: (3, height, width).

        SigLIP 2 for pictures of any shape takes patches: (patches, values + 3), the last three columns being whether
        the patch is one of the picture's, and how many of them are one below and beside another.
        """
        given = self._processor(images=[_middle(picture)], return_tensors="np")
        pixels = np.asarray(given["pixel_values"][0], np.float32)
        if _SHAPES not in given:
            return pixels
        mask = np.asarray(given[_MASK][0], np.float32)[:, None]
        shapes = np.broadcast_to(np.asarray(given[_SHAPES][0], np.float32), (len(pixels), 2))
        return np.concatenate([pixels, mask, shapes], axis=1)

    def embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """Return (n, dimensions) float32 rows of unit length.

        Raises:
            Unavailable: the GPU has no memory for even one picture.
            ValueError: the network gave no finite values for a picture.

        """
        return self._rows(prepared, self._forward)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, dimensions) float32 rows of unit length, in the space of the pictures. Long texts are cut.

        Raises:
            InvalidRequest: the model knows no texts.
            ConfigurationError: its tokenizer is not at hand or needs a package that is not installed.
            Unavailable: the GPU has no memory for even one text.

        """
        if not self.knows_text:
            raise InvalidRequest(f"the model {self.facts.name!r} knows pictures only; a text needs a text-image model")
        return self._rows(texts, self._forward_text)

    def _rows(self, items: Sequence[Any], forward: Callable[[Sequence[Any]], Any]) -> NDArray[np.float32]:
        if not items:
            return np.empty((0, self.facts.dimensions), np.float32)
        torch = self._torch
        torch.set_num_threads(self._threads)  # counts for the thread that calls it, which need not be the loader's
        rows: list[NDArray[np.float32]] = []
        size = _BATCH[self._device.type]
        start = 0
        while start < len(items):
            try:
                with torch.inference_mode():
                    rows.append(forward(items[start : start + size]).float().cpu().numpy())
            except torch.OutOfMemoryError as error:
                if size == 1:
                    raise Unavailable(f"the GPU's memory is full: no room to run {self.facts.name!r}") from error
                size //= 2
                torch.cuda.empty_cache()
                continue
            start += size
        return normalised(np.concatenate(rows))

    def _forward(self, batch: Sequence[Prepared]) -> Any:
        torch = self._torch
        stacked = torch.from_numpy(np.stack(batch)).to(self._device)
        if stacked.dim() == 4:  # pictures, three colours, rows, columns
            return pooling.pooled(self._family, self._network, {"pixel_values": stacked.to(self._dtype)})
        pixels, extra = stacked[..., :-_EXTRA], stacked[..., -_EXTRA:]
        given = {"pixel_values": pixels.to(self._dtype), _MASK: extra[..., 0].int(), _SHAPES: extra[:, 0, 1:].long()}
        return pooling.pooled(self._family, self._network, given)

    def _forward_text(self, texts: Sequence[str]) -> Any:
        tokenizer = self._get_tokenizer()
        longest = int(self._config.text_config.max_position_embeddings)
        if self._family.maskless:
            # As in training (Zhai et al. 2023): full length, no mask; lower case as their tokenizers had it.
            lowered = [text.lower() for text in texts]
            given = tokenizer(lowered, padding="max_length", truncation=True, max_length=longest, return_tensors="pt")
            given = {"input_ids": given["input_ids"]}
        else:
            given = tokenizer(list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt")
        return pooling.pooled_text(self._network, {name: values.to(self._device) for name, values in given.items()})

    def _get_tokenizer(self) -> Any:
        with self._lock:
            if self._tokenizer is None:
                from transformers import AutoTokenizer  # noqa: PLC0415

                name = self.facts.name
                # Without any of these files transformers makes a tokenizer that knows no words, and says nothing.
                found = (hub.find_file(self._source, file, download=self._download, optional=True) for file in _WORDS)
                if not any(found):
                    raise ConfigurationError(f"the model {name!r} came without its tokenizer: fetch it again, whole")
                try:
                    with hub.quiet():
                        self._tokenizer = AutoTokenizer.from_pretrained(
                            self._source.id, config=self._config, **self._source.files(download=self._download)
                        )
                except ImportError as error:
                    raise ConfigurationError(
                        f"the tokenizer of {name!r} needs a package that is not installed: pip install sentencepiece"
                        " protobuf"
                    ) from error
                except Exception as error:  # whatever a damaged file leads to
                    raise ConfigurationError(
                        f"the tokenizer of {name!r} is not at hand or damaged: fetch the model again"
                    ) from error
            return self._tokenizer

    def _load_processor(self) -> Any:
        from transformers import AutoImageProcessor, ImageProcessingMixin  # noqa: PLC0415

        files = self._source.files(download=self._download)
        auto: Any = AutoImageProcessor
        try:
            with hub.absent_files(self._source, download=self._download, what="image processor"), hub.quiet():
                known, _ = ImageProcessingMixin.get_image_processor_dict(self._source.id, **files)
                if str(known.get("image_processor_type")).startswith("DINOv3ViTImageProcessor"):
                    return _dinov3_processor(known)
                return auto.from_pretrained(self._source.id, backend="pil", **files)
        except (ValueError, TypeError, KeyError, ImportError) as error:
            raise InvalidRequest(f"the model {self.facts.name!r} has no image processor that is known here") from error

    def _load_network(self) -> Any:
        from transformers import AutoModel  # noqa: PLC0415

        files = self._source.files(download=self._download)
        name = self.facts.name
        try:
            with hub.absent_files(self._source, download=self._download, what="weights"), hub.quiet():
                network, info = AutoModel.from_pretrained(
                    self._source.id, config=self._config, dtype=self._dtype, output_loading_info=True, **files
                )
        except InvalidRequest:
            raise
        except self._torch.OutOfMemoryError as error:
            raise ConfigurationError(f"the GPU's memory is full: no room for the weights of {name!r}") from error
        except Exception as error:  # whatever a damaged file leads to
            raise InvalidRequest(
                f"the weights of {name!r} cannot be read: they are damaged or of another model"
            ) from error
        # An extra layer that is not used may lack weights; any other would be random, other vectors at each start.
        spare = ("pooler.",) if self._family.pooling == pooling.CLS else ()
        missing = [key for key in info["missing_keys"] if not key.startswith(spare)]
        if missing or info["mismatched_keys"]:
            raise InvalidRequest(
                f"the weights of {name!r} are incomplete: {len(missing) or 'some'} do not fit the model"
            )
        return network.to(self._device).eval()

    def _try(self) -> None:
        """Run the model once: what it gives must be what its configuration says, and finite."""
        name = self.facts.name
        ramp = Image.linear_gradient("L").convert("RGB")
        shapes = [self.prepare(picture) for picture in (ramp, ramp.resize((64, 200)))]
        if shapes[0].shape != shapes[1].shape:
            raise InvalidRequest(f"the image processor of {name!r} gives pictures of different sizes, not of one")
        try:
            rows = self.embed(shapes)
        except ValueError as error:
            raise InvalidRequest(
                f"the model {name!r} gives no finite vectors (NaN), as {str(self._dtype).removeprefix('torch.')}:"
                " its weights are damaged, or it needs float32"
            ) from error
        if rows.shape[1] != self.facts.dimensions:
            raise InvalidRequest(
                f"the model {name!r} gives {rows.shape[1]} values where its configuration says {self.facts.dimensions}"
            )


def _dinov3_processor(settings: dict[str, Any]) -> Any:
    """Return DINOv3's image processor on the PIL back end, which transformers has for torchvision alone.

    ViT's does the same: squeeze, bilinear, and normalise. It rounds to whole levels after resizing, which DINOv3's does
    not.
    """
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil  # noqa: PLC0415

    taken = ("do_resize", "size", "resample", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")
    own = {"image_mean": _IMAGENET_MEAN, "image_std": _IMAGENET_STD, "resample": Image.Resampling.BILINEAR}
    made: Any = ViTImageProcessorPil
    return made(**own | {name: settings[name] for name in taken if settings.get(name) is not None})


def _middle(picture: Image.Image) -> Image.Image:
    picture = picture.convert("RGB")
    longest = _LONGEST * min(picture.size)
    if max(picture.size) <= longest:
        return picture
    width, height = min(picture.width, longest), min(picture.height, longest)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _device(torch: Any, wanted: str | None) -> Any:
    """Return the device to compute on.

    Raises:
        ConfigurationError: there is none of that name.

    """
    at_hand = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted is None:
        return torch.device(next(kind for kind, there in at_hand.items() if there))
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ConfigurationError(f"there is no device {wanted!r}; there are cpu, cuda, cuda:1 ..., mps") from error
    if not at_hand.get(device.type, False) or (device.index or 0) >= _count(torch, device.type):
        raise ConfigurationError(f"the device {wanted!r} is not there, or torch is installed without it")
    return device


def _count(torch: Any, kind: str) -> int:
    return int(torch.cuda.device_count()) if kind == "cuda" else 1
