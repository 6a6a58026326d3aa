"""What a model on disk itself answers to a program's inputs, beside what its shape can hold."""

import random
from pathlib import Path

import torch

from tellapart.errors import InvalidInput
from tellapart.models.checkpoint import read_checkpoint
from tellapart.rasp.language import SEP
from tellapart.rasp.programs import Program
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import wilson

ASKED = 200


@torch.no_grad()
def shown(model: str, program: Program, length: int, seed: int) -> Estimate:
    """Return the share of drawn inputs of up to `length` tokens that the model answers right when asked plainly, each
    token of the answer being its likeliest (the end of the text aside). Missing where there are no weights."""
    if Path(model).is_file() or (Path(model).is_dir() and not list(Path(model).glob("*.safetensors"))):
        return missing("score", f"{model} holds no weights (safetensors)")
    read = read_checkpoint(model, "cpu", "float32")
    module, tokenizer = read.module, read.tokenizer
    rng = random.Random(f"shown|{program.name}|{seed}")
    lengths = program.lengths(length)
    right = 0
    for _ in range(ASKED):
        tokens = program.draw(rng, rng.choice(lengths))
        prompt, answer = "".join(tokens) + SEP, "".join(program.answer(tokens))
        before, whole = (
            tokenizer(text, return_tensors="pt")["input_ids"] for text in (prompt, prompt + answer)
        )
        start = before.shape[1]
        if whole.shape[1] <= start or not torch.equal(whole[:, :start], before):
            raise InvalidInput(
                f"{model}: its tokenizer joins the prompt {prompt!r} and the answer {answer!r}: the model cannot be "
                "asked for the answer alone"
            )
        said = module(whole[:, :-1], use_cache=False).logits[0, start - 1 :].argmax(-1)
        right += bool((said == whole[0, start:]).all())
    return wilson(right, ASKED, unit="score")
