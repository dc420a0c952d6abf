"""Small text-image models, made here with weights of chance: CLIP and SigLIP with a tokenizer of a few words.

torch and transformers are imported where they are used: each worker imports this module, and few run such a model.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.embedding.hub.quiet import quiet

FAMILIES = ("clip", "siglip")
SCALE = 62.5  # of distances, as for every model of the hub
LONGEST = 16  # tokens of a text, with the two around it
_WORDS = ["<pad>", "<bos>", "<unk>", "a", "photo", "of", "red", "blue", "summer", "dress", "shoe", "plain", "striped"]
_WORDS += ["long", "short", "sleeves", "leather", "close", "up", ".", "<eos>"]
_VISION: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
_TEXT: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37,
    "vocab_size": len(_WORDS), "max_position_embeddings": LONGEST, "bos_token_id": 1, "eos_token_id": len(_WORDS) - 1,
    "pad_token_id": 0,
}  # fmt: skip
_SQUARE = {"height": 32, "width": 32}


def save(folder: Path, family: str) -> Path:
    """Write a checkpoint of a family into a folder, as `save_pretrained` does, and return the folder."""
    import torch
    import transformers

    torch.manual_seed(7)
    auto: Any = transformers.AutoModel
    with quiet():
        network = auto.from_config(_config(family))
        with torch.no_grad():
            for name, weights in network.named_parameters():
                if weights.dim() > 1 and "embedding" not in name:
                    weights.mul_(6)  # else all pictures, and all texts, have nearly one direction
            network.logit_scale.fill_(3.0)
            if family == "siglip":
                network.logit_bias.fill_(-1.5)
        network.save_pretrained(folder)
        _words().save_pretrained(folder)
    # Not save_pretrained: it leaves its file open.
    (folder / "preprocessor_config.json").write_text(_processor(family).to_json_string())
    return folder


def _config(family: str) -> Any:
    import transformers

    if family == "clip":
        return transformers.CLIPConfig(text_config=_TEXT, vision_config=_VISION, projection_dim=24)
    return transformers.SiglipConfig(text_config=_TEXT, vision_config=_VISION)


def _processor(family: str) -> Any:
    if family == "clip":
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        return CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=_SQUARE)
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    return SiglipImageProcessorPil(size=_SQUARE)


def _words() -> Any:
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(_WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", len(_WORDS) - 1)]
    )
    made: Any = transformers.PreTrainedTokenizerFast
    return made(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>")


class ByHand:
    """A checkpoint, called as the documentation of transformers calls it: float64 rows of unit length."""

    def __init__(self, folder: Path, family: str) -> None:
        import transformers

        self.family = family
        with quiet():
            self.network: Any = transformers.AutoModel.from_pretrained(folder).eval()
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)

    def texts(self, *texts: str) -> NDArray[np.float64]:
        fill: Any = {"padding": True} if self.family == "clip" else {"padding": "max_length", "max_length": LONGEST}
        import torch

        given = self.tokenizer(list(texts), return_tensors="pt", **fill)
        asked = ("input_ids", "attention_mask") if self.family == "clip" else ("input_ids",)
        with torch.no_grad():
            return _unit(self.network.get_text_features(**{name: given[name] for name in asked}).pooler_output)

    def pictures(self, *pictures: Image.Image) -> NDArray[np.float64]:
        import torch

        given = _processor(self.family)(images=list(pictures), return_tensors="pt")
        with torch.no_grad():
            return _unit(self.network.get_image_features(**given).pooler_output)

    def logits(self, picture: NDArray[np.float64], texts: NDArray[np.float64]) -> NDArray[np.float64]:
        bias = self.network.logit_bias.item() if self.family == "siglip" else 0.0
        return np.asarray(self.network.logit_scale.exp().item() * (texts @ picture) + bias)


def _unit(rows: Any) -> NDArray[np.float64]:
    import torch

    return np.asarray(torch.nn.functional.normalize(rows.double(), dim=1).numpy())
