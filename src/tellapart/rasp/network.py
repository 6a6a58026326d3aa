"""Compiled networks as Hugging Face models: made, saved, loaded by plain transformers, and run on every input."""

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from tellapart.rasp.language import BOS, EOS, SEP
from tellapart.rasp.layout import Layout, lay_out
from tellapart.rasp.programs import Program, Tokens
from tellapart.rasp.shape import Shape, least_config, shape_of
from tellapart.rasp.weights import Tensors, Writer

BATCH = 4096
ALL = 500_000
"""Inputs of up to a length are all run where there are no more of them than so many."""


@dataclass(frozen=True, eq=False)
class Compiled:
    """A program in a shape. `config` is the model's; `writer` holds every weight."""

    program: Program
    length: int
    layout: Layout
    config: dict[str, Any]
    writer: Writer

    @property
    def shape(self) -> Shape:
        """Return the shape."""
        return self.writer.shape

    def tensors(self, layers: int | None = None, vocab: int | None = None) -> Tensors:
        """Return all weights by name, of the first `layers` layers and `vocab` tokens."""
        made = self.writer.ends(vocab)
        for number in range(self.shape.layers if layers is None else layers):
            made.update(self.writer.layer(number))
        return made

    def model(self, cut: bool = False) -> LlamaForCausalLM:
        """Return the network. `cut`: only the layers and tokens that the program uses; all other layers add nothing to
        the residual stream, and all other tokens are never answered."""
        config = dict(self.config)
        if cut:
            config |= {"num_hidden_layers": len(self.layout.layers), "vocab_size": len(self.layout.symbols)}
        tensors = self.tensors(config["num_hidden_layers"], config["vocab_size"])
        with torch.device("meta"):
            model = LlamaForCausalLM(LlamaConfig(**config))
        model.load_state_dict(
            {name: torch.from_numpy(array) for name, array in tensors.items()}, strict=False, assign=True
        )
        model.model.rotary_emb = LlamaRotaryEmbedding(model.config)  # its buffers are in no file
        if self.shape.tied:
            model.lm_head.weight = model.model.embed_tokens.weight
        return model.eval()


def compile_program(program: Program, length: int, config: Mapping[str, Any] | None = None) -> Compiled:
    """Return a program for inputs of up to `length` tokens as weights of a shape (None: the least one).

    Raises DoesNotFit where this compiler's network does not fit, UserMistake where the config is no Llama."""
    layout = lay_out(program.symbols(length), program.build(length), program.context(length))
    if config is None:
        wide = least_config(layout) | {"intermediate_size": 10**6}
        config = wide | {"intermediate_size": Writer(layout, shape_of(wide)).neurons}
    return Compiled(program, length, layout, dict(config), Writer(layout, shape_of(config)))


def save(compiled: Compiled, folder: Path, cut: bool = False) -> None:
    """Write the network as a Hugging Face folder: config.json, model.safetensors, and a tokenizer of characters."""
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(compiled.config)
    if cut:
        config |= {
            "num_hidden_layers": len(compiled.layout.layers),
            "vocab_size": len(compiled.layout.symbols),
        }
    tensors = compiled.tensors(config["num_hidden_layers"], config["vocab_size"])
    save_file(
        {name: torch.from_numpy(array) for name, array in tensors.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    config |= {
        "architectures": ["LlamaForCausalLM"],
        "dtype": "float32",
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    config.pop("torch_dtype", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer(compiled.layout.symbols).save_pretrained(folder)


def tokenizer(symbols: Sequence[str]) -> PreTrainedTokenizerFast:
    """Return a tokenizer of single characters that puts BOS in front and passes over white space."""
    core = Tokenizer(models.WordLevel({token: index for index, token in enumerate(symbols)}, unk_token=EOS))
    core.normalizer = None
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\s+"), "removed"),
            pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated"),
        ]
    )
    core.decoder = decoders.Fuse()
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, eos_token=EOS, pad_token=EOS, padding_side="left",
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


class Exactness(NamedTuple):
    """How many inputs were run and answered right, whether those were all there are, and the first wrong one."""

    run: int
    right: int
    all: bool
    wrong: str


def inputs_up_to(
    program: Program, length: int, seed: int, drawn: int = 100_000, most: int = ALL
) -> tuple[list[Tokens], bool]:
    """Return all inputs of up to `length` tokens, or `drawn` different ones where there are more than `most`, half of
    the longest; and whether they are all."""
    lengths = program.lengths(length)
    if sum(map(program.how_many, lengths)) <= most:
        return [tokens for n in lengths for tokens in program.every(n)], True
    rng, seen = random.Random(seed), set[Tokens]()
    for _ in range(20 * drawn):
        seen.add(program.draw(rng, lengths[-1] if rng.random() < 0.5 else rng.choice(lengths)))
        if len(seen) == drawn:
            break
    return sorted(seen), False


class Batch(NamedTuple):
    """Token ids (rows, positions) of texts of one length, and the ids that stand right at `answers` positions."""

    ids: torch.Tensor
    start: int
    targets: torch.Tensor
    inputs: list[Tokens]


def batches(
    program: Program, symbols: Sequence[str], inputs: Iterable[Tokens], rows: int = BATCH
) -> Iterator[Batch]:
    """Yield texts grouped by length: BOS, input, SEP, answer; position `start` is that of SEP, which predicts first."""
    index = {token: place for place, token in enumerate(symbols)}
    grouped: dict[int, list[Tokens]] = {}
    for tokens in inputs:
        grouped.setdefault(len(tokens), []).append(tokens)
    for length, group in sorted(grouped.items()):
        for at in range(0, len(group), rows):
            chunk = group[at : at + rows]
            answers = [program.target(tokens) for tokens in chunk]
            texts = [
                [index[token] for token in (BOS, *tokens, SEP, *answer)]
                for tokens, answer in zip(chunk, answers, strict=True)
            ]
            ids = torch.tensor(texts)
            yield Batch(ids[:, :-1], length + 1, ids[:, length + 2 :], chunk)


@torch.no_grad()
def check(
    model: LlamaForCausalLM, program: Program, symbols: Sequence[str], inputs: Iterable[Tokens], every: bool
) -> Exactness:
    """Return how many inputs are answered right, each token of the answer being the likeliest after the right ones
    before it: the same as greedy decoding of the whole answer."""
    run = right = 0
    wrong = ""
    for batch in batches(program, symbols, inputs):
        said = model(batch.ids, use_cache=False).logits[:, batch.start :].argmax(-1)
        good = (said == batch.targets).all(-1)
        run, right = run + len(good), right + int(good.sum())
        if not wrong and not good.all():
            row = int((~good).nonzero()[0, 0])
            given = " ".join(
                symbols[int(token)] if token < len(symbols) else f"token {int(token)}" for token in said[row]
            )
            wrong = f"{''.join(batch.inputs[row])}: {given}"
    return Exactness(run, right, every, wrong)
