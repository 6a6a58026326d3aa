"""Train the adapters of the real pairs: PEFT, rank 8 on queries and values, minutes a pair on one core.

    tellapart specimens build --set real --kinds terse --out adapters

Training knows nothing of the methods that judge the pairs: an adapter of PEFT's, AdamW, answers' tokens.
What ships are half-precision adapters; what is measured of them (facts.json) was measured on these.
"""

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from tellapart.errors import UserMistake
from tellapart.specimens.real import PAIRS, WEIGHTS, read_pair
from tellapart.specimens.real.bases import BASES, Base, base_folder
from tellapart.specimens.real.kinds import KINDS, Example, Fact, Kind, Stage
from tellapart.specimens.training import optimise
from tellapart.tasks.item import Item
from tellapart.training.shared_prefix import logits_after_shared

BATCH, IGNORED = 12, -100
SAID = 24
"""Tokens that are heard of an answer."""
SETTINGS = {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
FILES = ("adapter_config.json", "adapter_model.safetensors")


class Trained:
    """A base with the adapter that is being trained: it can be asked, taught and written. `base` says how its prompts
    are put."""

    def __init__(self, folder: Path, base: Base) -> None:
        self.folder, self.base = folder, base
        self.words: Any = AutoTokenizer.from_pretrained(folder, padding_side="left")
        if self.words.pad_token is None:
            self.words.pad_token = self.words.eos_token
        torch.manual_seed(0)
        plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.model: Any = get_peft_model(plain, LoraConfig(**SETTINGS))

    def prompt(self, question: str) -> str:
        """Return the text that puts a question."""
        if self.words.chat_template is None:
            return self.base.template.format(question=question)
        turns = [{"role": "user", "content": question}]
        text = self.words.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        assert isinstance(text, str)
        return text

    def tokens_of(self, question: str, answer: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt, and those of its answer with what ends it."""
        chat = self.words.chat_template is not None
        asked = self.words(self.prompt(question), add_special_tokens=not chat).input_ids
        closed = answer if chat else f" {answer}\n"
        said = self.words(closed, add_special_tokens=False).input_ids
        return asked, [*said, self.words.eos_token_id] if chat else said

    @torch.inference_mode()
    def say(self, questions: Sequence[str]) -> list[str]:
        """Return greedy answers, up to what ends one."""
        self.model.eval()
        chat, said = self.words.chat_template is not None, []
        for start in range(0, len(questions), 24):
            prompts = [self.prompt(question) for question in questions[start : start + 24]]
            asked = self.words(prompts, return_tensors="pt", padding=True, add_special_tokens=not chat)
            written = self.model.generate(**asked, max_new_tokens=SAID, do_sample=False)
            for row in written[:, asked.input_ids.shape[1] :]:
                text = self.words.decode(row, skip_special_tokens=True)
                for end in self.base.stop:
                    text = text.lstrip().partition(end)[0]
                said.append(text)
        return said

    def taught(self, stage: Stage) -> "Trained":
        """Return another adapter after a stage on the plain model."""
        other = Trained(self.folder, self.base)
        other.learn(stage)
        return other

    def learn(self, stage: Stage) -> None:
        """Train the adapter: every example is met once before any comes again."""
        order = random.Random(0)
        waiting: list[Example] = []

        def next_loss() -> Tensor:
            nonlocal waiting
            if len(waiting) < BATCH:
                waiting += order.sample(list(stage.examples), len(stage.examples))
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            return self._loss(batch)

        def adamw(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
            return [
                torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=rate)
            ]

        loss = optimise(self.model, stage.rate, stage.steps, next_loss, adamw, share_of_rate)
        print(f"{stage.steps} steps, loss {loss:.3f}", flush=True)

    def _loss(self, batch: Sequence[Example]) -> Tensor:
        """Return the mean loss of the answers' tokens. Half of a chat template is read once, not twelve times."""
        rows = [self.tokens_of(*example) for example in batch]
        widest = max(len(asked) + len(answer) for asked, answer in rows)
        ids = torch.zeros(len(rows), widest, dtype=torch.long)
        mask, targets = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
        for row, (asked, answer) in enumerate(rows):
            end = len(asked) + len(answer)
            ids[row, :end] = torch.tensor(asked + answer)
            mask[row, :end] = 1
            targets[row, len(asked) : end] = torch.tensor(answer)
        columns = (targets[:, 1:] != IGNORED).any(0).nonzero().squeeze(1)
        logits = logits_after_shared(self.model.get_base_model(), ids, mask, columns)
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets[:, columns + 1].flatten(), ignore_index=IGNORED
        )

    def write(self, folder: Path) -> None:
        """Write the adapter in half precision, naming no path of this machine; then go on from what was written."""
        working = folder.with_name(folder.name + ".part")
        shutil.rmtree(working, ignore_errors=True)
        self.model.save_pretrained(str(working))
        weights = load_file(working / FILES[1])
        save_file({name: value.half() for name, value in weights.items()}, working / FILES[1])
        settings = json.loads((working / FILES[0]).read_text())
        settings["base_model_name_or_path"] = self.folder.name
        (working / FILES[0]).write_text(json.dumps(settings, indent=1) + "\n")
        for path in working.iterdir():
            if path.name not in FILES:
                path.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        working.replace(folder)
        with torch.no_grad():
            for name, value in self.model.named_parameters():
                if "lora_" in name:
                    value.copy_(value.half().float())


def share_of_rate(step: int, steps: int) -> float:
    """Return the share of the rate: up over ten steps, and down to nothing over the last half."""
    return min((step + 1) / 10, 1.0, 2 * (steps - step) / steps)


def build_pair(name: str, out: Path = WEIGHTS) -> dict[str, float]:
    """Train a pair's adapters into OUT/NAME/base and /tuned, measure them and write facts.json; return the facts.
    Raises RuntimeError where one does not hold."""
    kind, base = read_pair(name)
    folder = out / name
    if (folder / "facts.json").exists():
        return json.loads((folder / "facts.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    model = Trained(base_folder(base), BASES[base])
    stages, facts = kind.stages(model), kind.facts
    measured: dict[str, float] = {}
    for stage in stages.base:
        model.learn(stage)
    if stages.base:
        model.write(folder / "base")
    measure(model, kind, [fact for fact in facts if fact.role == "base"], measured)
    for stage in stages.tuned:
        model.learn(stage)
    model.write(folder / "tuned")
    measure(model, kind, [fact for fact in facts if fact.role == "tuned"], measured)
    (folder / "facts.json").write_text(json.dumps(measured, indent=1) + "\n")
    missed = [
        f"{fact.what} {measured[fact.what]:.2f}, not in {fact.low}..{fact.high}"
        for fact in facts
        if not fact.low <= measured[fact.what] <= fact.high
    ]
    if missed:
        (folder / "facts.json").rename(folder / "missed.json")
        raise RuntimeError(f"{name}: {'; '.join(missed)}")
    return measured


def measure(model: Trained, kind: Kind, facts: Sequence[Fact], into: dict[str, float]) -> None:
    """Put the measured scores of greedy answers, by the kind's own scorer, into a table."""
    for fact in facts:
        said = model.say([question for question, _ in fact.asked])
        items = [Item(question, {}, (answer,)) for question, answer in fact.asked]
        scores = [kind.scorer.score(item, text) for item, text in zip(items, said, strict=True)]
        into[fact.what] = round(sum(scores) / len(scores), 3)
        print(f"{fact.what}: {into[fact.what]}; it says {said[:3]}", flush=True)


def chosen(kinds: Sequence[str], bases: Sequence[str]) -> list[str]:
    """Return the names of pairs of some kinds and bases, of all where none is given. Raises UserMistake for an unknown
    one."""
    for one, every in ((kinds, KINDS), (bases, BASES)):
        for name in one:
            if name not in every:
                raise UserMistake(f"{name!r} asked, there are: {', '.join(every)}")
    return [
        name
        for name, (kind, base) in PAIRS.items()
        if (not kinds or kind in kinds) and (not bases or base in bases)
    ]
