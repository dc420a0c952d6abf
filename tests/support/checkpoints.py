"""Small checkpoints of each family of transformers, made here in a moment.

torch and transformers are imported where they are used: each worker imports this module, and one runs such models.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

SMALL: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip


TEXT: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 37, "vocab_size": 20,
    "max_position_embeddings": 8, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip


NAFLEX = {key: value for key, value in SMALL.items() if key != "image_size"} | {"num_patches": 16}


WORDS = ["<pad>", "<bos>", "<eos>", "<unk>", "red", "dress", "a", "blue", "shoe"]


WITH_TEXT = ("clip", "siglip", "siglip2")


def config(family: str) -> Any:
    import transformers

    made: dict[str, Callable[[], Any]] = {
        "clip": lambda: transformers.CLIPConfig(text_config=TEXT, vision_config=SMALL, projection_dim=24),
        "siglip": lambda: transformers.SiglipConfig(text_config=TEXT, vision_config=SMALL),
        "siglip2": lambda: transformers.Siglip2Config(text_config=TEXT, vision_config=NAFLEX),
        "dinov2": lambda: transformers.Dinov2Config(**SMALL),
        "vit": lambda: transformers.ViTConfig(**SMALL),
        "convnext": lambda: transformers.ConvNextConfig(hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 1, 1]),
    }
    return made[family]()


def image_processor(family: str) -> Any:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    cropped: dict[str, Any] = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    squeezed: dict[str, Any] = {"size": {"height": 32, "width": 32}}
    made: dict[str, Callable[[], Any]] = {
        "clip": lambda: CLIPImageProcessorPil(**cropped),
        "siglip": lambda: SiglipImageProcessorPil(**squeezed),
        "siglip2": lambda: Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16),
        "dinov2": lambda: CLIPImageProcessorPil(**cropped),
        "vit": lambda: ViTImageProcessorPil(**squeezed),
        "convnext": lambda: ConvNextImageProcessorPil(size={"shortest_edge": 64}),
    }
    return made[family]()


def tokenizer() -> Any:
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    made: Any = transformers.PreTrainedTokenizerFast
    return made(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>")


def save(folder: Path, family: str) -> Path:
    import torch
    import transformers

    torch.manual_seed(5)
    auto: Any = transformers.AutoModel
    auto.from_config(config(family)).save_pretrained(folder)
    # Not save_pretrained: it leaves its file open.
    (folder / "preprocessor_config.json").write_text(image_processor(family).to_json_string())
    if family == "siglip2":  # transformers has a class for its tokenizer, which wants byte pairs
        words: Any = transformers.Siglip2Tokenizer
        words(
            vocab={
                word: number for number, word in enumerate(["<pad>", "<bos>", "<eos>", "<unk>", "▁", *"abdershlou"])
            },
            merges=[],
        ).save_pretrained(folder)
    elif family in WITH_TEXT:
        tokenizer().save_pretrained(folder)
    return folder


OWN_CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class OwnConfig(PretrainedConfig):
    model_type = "nobody-knows"

    def __init__(self, projection_dim=12, **given):
        self.projection_dim = projection_dim
        super().__init__(**given)


class OwnModel(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(3, config.projection_dim)
        self.post_init()

    def {method}(self, pixel_values):
        return self.layer(pixel_values.mean(dim=(2, 3)))
"""


def with_own_code(folder: Path, method: str = "get_image_features") -> Path:
    """A checkpoint that transformers reads only with the code beside it."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(OWN_CODE.replace("{method}", method))
    named = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    told = {"model_type": "nobody-knows", "projection_dim": 12, "auto_map": named}
    (folder / "config.json").write_text(json.dumps(told))
    (folder / "preprocessor_config.json").write_text(image_processor("vit").to_json_string())
    torch.manual_seed(5)
    layer = torch.nn.Linear(3, 12)
    save_file({"layer.weight": layer.weight, "layer.bias": layer.bias}, folder / "model.safetensors", {"format": "pt"})
    return folder
