"""Image models of transformers, by hub id or folder: CLIP, SigLIP (2), DINOv2 and v3, ViT, ConvNeXt and their kin.

Pictures are prepared by the model's own image processor, on its PIL back end, and pooled as `pooling` says. A picture
of sides in more than 8 : 1 gives its middle only, so that a strip does not become a million pixels on its way.
`distance_scale` is that of the default model: what distance means "near duplicate" differs from model to model, and is
best measured on one's own pictures.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.errors import ConfigurationError, InvalidRequest
from app.domain.options import ModelOptions
from app.embedding.hub import repository
from app.embedding.hub.quiet import quiet
from app.embedding.models import pooling
from app.embedding.models.base import Embedder, ModelFacts, Prepared, TextScoring, normalised
from app.embedding.models.device_batches import SIZES, in_rounds
from app.embedding.models.options import device_of, dtype_of

_DISTANCE_SCALE = 62.5
_LONGEST = 8  # sides of a picture, at most, that are prepared whole
_WORDS = ("tokenizer.json", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt")
_IMAGENET_MEAN, _IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_MASK, _SHAPES = "pixel_attention_mask", "spatial_shapes"  # of SigLIP 2 with pictures of any shape
_EXTRA = 3  # columns that carry those two beside each patch's pixels


def describe(name: str, options: ModelOptions) -> ModelFacts:
    """Return what is known of a model from its configuration; its weights are not read.

    Raises:
        InvalidRequest: no such model is at hand, it is no image model, of a kind not known here, or needs code of its
            own.

    """
    source = repository.locate(name, options)
    return _facts(source, repository.read_config(source))


def knows_text(name: str, options: ModelOptions) -> bool:
    """Say whether a model takes texts as well, from its configuration.

    Raises:
        InvalidRequest: as `describe`.

    """
    source = repository.locate(name, options)
    return pooling.family_of(name, repository.read_config(source)).pooling == pooling.PROJECTED


def _facts(source: repository.Source, config: Any) -> ModelFacts:
    family = pooling.family_of(source.name, config)
    try:
        dimensions = family.dimensions(config)
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        raise InvalidRequest(f"the configuration of {source.name!r} does not tell how long its vectors are") from error
    return ModelFacts(
        name=source.name,
        revision=f"{repository.revision_of(source)}-{family.pooling}",
        dimensions=dimensions,
        distance_scale=_DISTANCE_SCALE,
        licence=repository.licence_of(source),
    )


class HuggingFace(Embedder):
    """A model, loaded.

    Args:
        name: `org/name`, `org/name@revision` or a folder.
        threads: CPU threads of a forward pass.
        device, dtype, folder, download, remote_code: as in `ModelOptions`. By itself it computes in float32, so that
            a picture's vector does not depend on the machine.

    Raises:
        InvalidRequest: no such model is at hand, it is no image model, needs code of its own, has no image processor
            or not all weights, or gives no finite vectors.
        ConfigurationError: there is no such device or number type.

    """

    def __init__(self, name: str, options: ModelOptions, threads: int = 1) -> None:
        source = repository.locate(name, options)
        import torch  # noqa: PLC0415  (seconds of importing, only where a model is used)

        self._torch = torch
        self._threads = threads
        self._device = device_of(torch, options.device)
        self._dtype = dtype_of(torch, options.dtype, torch.float32)
        self.batch = SIZES[self._device.type]
        self.runs_on = f"{self._device}, {str(self._dtype).removeprefix('torch.')}"
        self._config = repository.read_config(source)
        self._family = pooling.family_of(name, self._config)
        self.pooling = self._family.pooling  # a word of the module `pooling`
        self._source = replace(source, runs_code=self._family.own_code)
        self.facts = _facts(self._source, self._config)
        self._processor = self._load_processor()
        self._network = self._load_network()
        self._tokenizer: Any = None
        self._lock = threading.Lock()
        self._tokenizing = threading.Lock()  # a tokenizer keeps the settings of the call that runs
        self.text_scoring: TextScoring | None = pooling.text_scoring(self._family, self._network)
        self._try()

    @property
    def knows_text(self) -> bool:
        """True if `embed_text` has an answer."""
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

    def _embed(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
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
        if not texts:
            return np.empty((0, self.facts.dimensions), np.float32)
        return normalised(self._rows(texts, self._forward_text))

    def check_text(self, text: str) -> None:
        """Refuse a text that `embed_text` would cut.

        Raises:
            InvalidRequest: it has more tokens than the model reads.
            ConfigurationError: the tokenizer is not at hand or needs a package that is not installed.

        """
        tokenizer = self._get_tokenizer()
        with self._tokenizing:
            tokens = len(tokenizer(text.lower() if self._family.maskless else text, verbose=False)["input_ids"])
        longest = self._longest_text(tokenizer)
        if tokens > longest:
            raise InvalidRequest(
                f"the text {_beginning(text)!r} has {tokens} tokens, and the model {self.facts.name!r} reads {longest}"
                " at most: shorten it"
            )

    def _longest_text(self, tokenizer: Any) -> int:
        # Some families keep a few of their positions for themselves, which their tokenizers know.
        return int(min(self._config.text_config.max_position_embeddings, tokenizer.model_max_length))

    def _rows(self, items: Sequence[Any], forward: Callable[[Sequence[Any]], Any]) -> NDArray[np.float32]:
        self._torch.set_num_threads(self._threads)  # counts for the thread that calls it, not only for the loader's
        rows = in_rounds(self._torch, self._device, items, lambda batch: forward(batch).float().cpu())
        made: NDArray[np.float32] = np.concatenate([one.numpy() for one in rows])
        return made

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
        told: dict[str, Any] = {"truncation": True, "max_length": self._longest_text(tokenizer), "return_tensors": "pt"}
        with self._tokenizing:
            if self._family.maskless:
                # As in training (Zhai et al. 2023): full length, no mask; lower case as their tokenizers had it.
                given = tokenizer([text.lower() for text in texts], padding="max_length", **told)
                given = {"input_ids": given["input_ids"]}
            else:
                given = tokenizer(list(texts), padding=True, **told)
        return pooling.pooled_text(self._network, {name: values.to(self._device) for name, values in given.items()})

    def _get_tokenizer(self) -> Any:
        with self._lock:
            if self._tokenizer is None:
                from transformers import AutoTokenizer  # noqa: PLC0415

                name = self.facts.name
                # Without any of these files transformers makes a tokenizer that knows no words, and says nothing.
                found = (repository.find_file(self._source, file, optional=True) for file in _WORDS)
                if not any(found):
                    raise ConfigurationError(f"the model {name!r} came without its tokenizer: fetch it again, whole")
                try:
                    with quiet():
                        self._tokenizer = AutoTokenizer.from_pretrained(
                            self._source.id, config=self._config, **self._source.files()
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

        files = self._source.files()
        auto: Any = AutoImageProcessor
        try:
            with repository.absent_files(self._source, what="image processor"), quiet():
                known, _ = ImageProcessingMixin.get_image_processor_dict(self._source.id, **files)
                if str(known.get("image_processor_type")).startswith("DINOv3ViTImageProcessor"):
                    return _dinov3_processor(known)
                return auto.from_pretrained(self._source.id, backend="pil", **files)
        except (ValueError, TypeError, KeyError, ImportError) as error:
            raise InvalidRequest(f"the model {self.facts.name!r} has no image processor that is known here") from error

    def _load_network(self) -> Any:
        from transformers import AutoModel  # noqa: PLC0415

        files = self._source.files()
        name = self.facts.name
        try:
            with repository.absent_files(self._source, what="weights"), quiet():
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
        if self._family.pooling == pooling.OWN and not hasattr(network, "get_image_features"):
            raise InvalidRequest(f"the code that comes with {name!r} offers no get_image_features: it cannot be used")
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
                " its weights are damaged, or it needs LOOKALIKE_MODEL_DTYPE=fp32"
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


def _beginning(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _middle(picture: Image.Image) -> Image.Image:
    picture = picture.convert("RGB")
    longest = _LONGEST * min(picture.size)
    if max(picture.size) <= longest:
        return picture
    width, height = min(picture.width, longest), min(picture.height, longest)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))
