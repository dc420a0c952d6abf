"""A model of transformers to measure and try the path of such models with: the shape of a small ViT, random weights."""

import json
from pathlib import Path
from typing import Any

_SHAPE: dict[str, Any] = {
    # DeiT-Ti (Touvron et al., "Training data-efficient image transformers", 2021, table 1): 5.5 million weights
    "hidden_size": 192, "num_hidden_layers": 12, "num_attention_heads": 3, "intermediate_size": 768,
    "image_size": 224, "patch_size": 16,
}  # fmt: skip
_PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 224, "width": 224},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def write_small_vit(folder: Path) -> Path:
    """Write a checkpoint of a small ViT into a folder, the same one each time; what it sees means nothing."""
    import torch
    from transformers import ViTConfig, ViTModel

    from app.embedding.hub.quiet import quiet

    folder.mkdir(parents=True, exist_ok=True)
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(5)
        network: Any = ViTModel(ViTConfig(**_SHAPE))
        network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_PROCESSOR), encoding="utf-8")
    return folder
