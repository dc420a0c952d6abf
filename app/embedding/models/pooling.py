"""From the many values that a network gives for a picture to one vector: which way suits which family.

`projected`: the space in which pictures are compared with texts (`get_image_features`). CLIP, Chinese CLIP, AltCLIP,
MetaCLIP 2, ALIGN (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
fig. 3); SigLIP and SigLIP 2, whose head pools by attention (Zhai et al., "Sigmoid Loss for Language Image
Pre-Training", 2023).

`cls`: the class token after the last normalisation, `last_hidden_state[:, 0]`. DINOv2, with and without registers, and
DINOv3 (Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023, instance retrieval; Siméoni
et al., "DINOv3", 2025); ViT, DeiT, ViT-MSN (Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, eq. 4). Not
their `pooler_output` in transformers: most ViT checkpoints have no weights for its extra layer, which is then random.

`pooler`: `pooler_output`, the mean over places as the family's own classifier takes it, normalised where the family
does. ConvNeXt (Liu et al., "A ConvNet for the 2020s", 2022) and V2, DINOv3 ConvNeXt, Swin and V2, ResNet, RegNet,
EfficientNet; and the vision towers of CLIP and SigLIP saved alone, which pool by themselves.

`own`: `get_image_features` of program code that comes with a model, where such code is allowed.

Other families that know pictures are refused: how to pool them is a decision, and nobody has taken it yet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.domain.errors import InvalidRequest
from app.embedding.models.base import TextScoring

CLS = "cls"
POOLER = "pooler"
PROJECTED = "projected"
OWN = "own"


def _by_projection(config: Any) -> int:
    return int(config.projection_dim)


def _by_vision_head(config: Any) -> int:
    return int(config.vision_config.hidden_size)


def _by_width(config: Any) -> int:
    return int(config.hidden_size)


def _by_last_width(config: Any) -> int:
    return int(config.hidden_sizes[-1])


def _by_hidden(config: Any) -> int:
    return int(config.hidden_dim)


@dataclass(frozen=True, slots=True)
class Family:
    """Models of a kind are read alike, and the length of their vectors is known beforehand."""

    pooling: str
    dimensions: Callable[[Any], int]
    maskless: bool = False  # texts are filled up to the full length, lower-cased, and the filling is read as well

    @property
    def own_code(self) -> bool:
        """True if it is made by code that comes with the model."""
        return self.pooling == OWN


_CLIP = Family(PROJECTED, _by_projection)
_SIGLIP = Family(PROJECTED, _by_vision_head, maskless=True)
_TOKEN = Family(CLS, _by_width)
_MAPS = Family(POOLER, _by_last_width)
_TOWER = Family(POOLER, _by_width)
_OWN = Family(OWN, _by_projection)
_OWN_MODULES = "transformers_modules."  # where transformers puts a configuration's class that is not its own

FAMILIES = MappingProxyType(
    {
        "clip": _CLIP,
        "chinese_clip": _CLIP,
        "altclip": _CLIP,
        "metaclip_2": _CLIP,
        "align": _CLIP,
        "siglip": _SIGLIP,
        "siglip2": _SIGLIP,
        "dinov2": _TOKEN,
        "dinov2_with_registers": _TOKEN,
        "dinov3_vit": _TOKEN,
        "vit": _TOKEN,
        "deit": _TOKEN,
        "vit_msn": _TOKEN,
        "convnext": _MAPS,
        "convnextv2": _MAPS,
        "dinov3_convnext": _MAPS,
        "resnet": _MAPS,
        "regnet": _MAPS,
        "efficientnet": Family(POOLER, _by_hidden),
        "swin": _TOWER,
        "swinv2": _TOWER,
        "clip_vision_model": _TOWER,
        "siglip_vision_model": _TOWER,
    }
)


def family_of(name: str, config: Any) -> Family:
    """Return how a model is read.

    Raises:
        InvalidRequest: it is not a model of pictures, or none of a kind that is known here.

    """
    if type(config).__module__.startswith(_OWN_MODULES):
        return _OWN
    kind = str(config.model_type)
    if kind in FAMILIES:
        return FAMILIES[kind]
    if not _sees(config):
        raise InvalidRequest(f"{name!r} is not an image model: it is of the kind {kind!r}, which takes no pictures")
    raise InvalidRequest(
        f"{name!r} is of the kind {kind!r}, of which is not known how one vector is made of it;"
        f" the kinds are {', '.join(sorted(FAMILIES))}"
    )


def _sees(config: Any) -> bool:
    from transformers import MODEL_MAPPING  # noqa: PLC0415

    network: Any = MODEL_MAPPING.get(type(config), None)
    network = network[0] if isinstance(network, tuple) else network
    modalities = getattr(network, "input_modalities", ())
    return "image" in ((modalities,) if isinstance(modalities, str) else tuple(modalities))


def pooled(family: Family, network: Any, given: dict[str, Any]) -> Any:
    """Return (n, dimensions) of what an image processor gave, both torch tensors."""
    if family.pooling in (PROJECTED, OWN):
        return _features(network.get_image_features(**given))
    output = network(**given)
    if family.pooling == CLS:
        return output.last_hidden_state[:, 0]
    return output.pooler_output.flatten(1)  # convolutional networks: (n, channels, 1, 1)


def pooled_text(network: Any, given: dict[str, Any]) -> Any:
    """Return (n, dimensions) of what a tokenizer gave, both torch tensors."""
    return _features(network.get_text_features(**given))


def text_scoring(family: Family, network: Any) -> TextScoring | None:
    """Return how a loaded model scores texts, None where it knows none; ALIGN has a temperature, 1 / scale."""
    if family.pooling != PROJECTED:
        return None
    if hasattr(network, "temperature"):
        return TextScoring(1 / network.temperature.item())
    bias = network.logit_bias.item() if family.maskless else 0.0
    return TextScoring(network.logit_scale.exp().item(), bias, sigmoid=family.maskless)


def _features(output: Any) -> Any:
    """Return the tensor: transformers 5 wraps it in an output, 4 does not."""
    return getattr(output, "pooler_output", output)
