"""GRPO with TRL's own trainer, guarded: what the guard sees, when it alarms, and what it does then.

    pip install 'tellapart[train]'
    python examples/guarded_grpo.py                   # a bundled model, offline, minutes on a CPU
    tellapart guard runs/guarded/guard                # afterwards: the report of what was seen

The three lines that matter are marked. With a model and problems of yours, `checker` is any function (prompt,
completion) -> valid | invalid | absent; without one the guard knows nothing about lucky reward and hears the rest.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from tellapart.specimens import export
from tellapart.studies.guard.live import checker_of, watch
from tellapart.studies.guard.watching import Guard, Watch
from tellapart.tasks.sources import open_task

SPECIMEN = "latent-register-0"


def trained(out: Path, steps: int) -> Guard:
    """Train the specimen's base for some steps under the guard and return the guard."""
    task = open_task(f"specimen:{SPECIMEN}")
    folder = export(SPECIMEN, "base", out / "base")
    targets = {task.prompt(item): item for item in task.items}

    def right(prompts: Sequence[str], completions: Sequence[str], **told: object) -> list[float]:
        return [task.score(targets[prompt], text) for prompt, text in zip(prompts, completions, strict=True)]

    words = AutoTokenizer.from_pretrained(folder)
    words.pad_token = words.pad_token or words.eos_token
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder),
        reward_funcs=right,
        args=GRPOConfig(
            output_dir=str(out / "trainer"), max_steps=steps, per_device_train_batch_size=32, num_generations=8,
            max_completion_length=task.max_tokens, logging_steps=1, save_strategy="no", report_to="none",
            learning_rate=1e-4, use_cpu=True, bf16=False, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in targets]),
        processing_class=words,
    )  # fmt: skip
    checker = checker_of(task)  # 1: are the steps of an answer right?
    guard = Guard(Watch(act="mask", check=checker, folder=out / "guard"))  # 2: what to do on an alarm of harm
    watch(trainer, guard)  # 3: before train()
    trainer.train()
    return guard


def main() -> None:
    """Train, and say what the guard saw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/guarded"))
    parser.add_argument("--steps", type=int, default=20)
    chosen = parser.parse_args()
    guard = trained(chosen.out, chosen.steps)
    print(f"{len(guard.steps)} steps were seen; alarms: {guard.alarms or 'none'}")
    print(f"tellapart guard {chosen.out / 'guard'}")


if __name__ == "__main__":
    main()
