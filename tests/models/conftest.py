"""A small model on disk, and an adapter on it."""

from pathlib import Path

import pytest


@pytest.fixture
def base(tmp_path) -> Path:
    from tiny import whole

    return whole(tmp_path / "base")


@pytest.fixture
def adapter(base: Path, tmp_path) -> Path:
    """An adapter on `base`; beside it, in "merged", the whole model with it merged."""
    from peft import LoraConfig, get_peft_model
    from tiny import filled, module_of, whole

    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    made = filled(get_peft_model(module_of("llama"), config))
    made.peft_config["default"].base_model_name_or_path = str(base)
    made.save_pretrained(tmp_path / "adapter")
    whole(tmp_path / "merged", made.merge_and_unload())
    return tmp_path / "adapter"
