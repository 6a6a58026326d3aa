"""--budget counts what was really generated, scored and trained on, bounds it, and throws nothing away."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from tellapart.models import local, two_models
from tellapart.runs.table import read_table
from tellapart.studies import run_study
from tellapart.studies.form.spec import FormSpec
from tellapart.studies.gain.spec import GainSpec
from tellapart.studies.improve.spec import ImproveSpec

SPECIMEN = "latent-register-0"
ONE_ANSWER = 120
"""More than the longest answer of these specimens, and more than one step of training on 16 of theirs."""
ONE_STEP = 16 * 100


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return a count, kept apart from the budget's, of what engine, scorer and trainers are handed and give back."""
    counts: Counter[str] = Counter()

    def writing(real: Any) -> Any:
        def write(*args: Any) -> Any:
            for finished in real(*args):
                counts["generated"] += len(finished.tokens)
                yield finished

        return write

    for module in (local, two_models):
        monkeypatch.setattr(module, "write_answers", writing(module.write_answers))
    score = local.score_tokens

    def scoring(module: Any, pairs: Any, context: int) -> Any:
        found = score(module, pairs, context)
        counts["scored"] += sum(map(len, found))
        return found

    monkeypatch.setattr(local, "score_tokens", scoring)
    for trainer, key in ((SFTTrainer, "labels"), (GRPOTrainer, "completion_mask")):
        real = trainer.compute_loss

        def loss(
            self: Any, model: Any, inputs: Any, *args: Any, _of: Any = (real, key), **kwargs: Any
        ) -> Any:
            whole, name = _of
            counts["trained"] += int((inputs[name] > (-100 if name == "labels" else 0)).sum())
            return whole(self, model, inputs, *args, **kwargs)

        monkeypatch.setattr(trainer, "compute_loss", loss)
    torch.set_num_threads(1)
    return counts


def gain(out: Path, budget: int | None, *elicitors: str, limit: int = 24) -> dict[str, Any]:
    """Run gain and return its finding."""
    spec = GainSpec(
        f"specimen:{SPECIMEN}/base", f"specimen:{SPECIMEN}/tuned", f"specimen:{SPECIMEN}", samples=4,
        elicited_samples=1, elicitors=elicitors, plan="adaptive", limit=limit, out=str(out), budget=budget,
    )  # fmt: skip
    run_study(spec, quiet=True)
    return finding(out)


def finding(out: Path) -> dict[str, Any]:
    return json.loads((out / "findings.json").read_text())["findings"][0]


def spent(out: Path) -> dict[str, int]:
    return json.loads((out / "artifacts" / "tokens.json").read_text())


def rows_of(out: Path) -> pd.DataFrame:
    columns = ["condition", "item", "sample", "completion", "score"]
    return read_table(out)[columns].sort_values(columns[:3]).reset_index(drop=True)


@pytest.mark.parametrize(
    "elicitors",
    [
        ("prefill", "self_consistency", "routing_first"),
        ("few_labels_tuned", "lora"),
        pytest.param(("rlvr",), marks=pytest.mark.slow),
    ],
    ids=["asked", "fine-tuned", "reinforced"],
)
def test_the_budget_counts_what_is_really_spent(
    tmp_path: Path, counted: Counter[str], elicitors: tuple[str, ...]
) -> None:
    gain(tmp_path / "run", None, *elicitors, limit=12)
    assert spent(tmp_path / "run") == {kind: counted[kind] for kind in ("generated", "scored", "trained")}
    assert counted["generated"]
    assert counted["scored"]
    assert bool(counted["trained"]) == (elicitors[0] != "prefill")
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"Tokens spent: {counted.total():,} (" in page


@pytest.mark.parametrize("budget", [500, 3_000, 8_000])
def test_a_budget_is_not_overshot_by_more_than_a_batch(
    tmp_path: Path, counted: Counter[str], budget: int
) -> None:
    told = gain(tmp_path / "run", budget, "few_labels_tuned", "prefill")
    assert counted.total() == sum(spent(tmp_path / "run").values())
    assert counted.total() <= budget + ONE_STEP
    if not counted["trained"]:
        assert counted.total() <= budget + ONE_ANSWER
    assert any("larger --budget" in caveat for caveat in told["caveats"])
    assert {"base/plain", "tuned/plain"} <= set(rows_of(tmp_path / "run")["condition"])


def test_a_run_goes_on_with_a_larger_budget_and_asks_nothing_twice(
    tmp_path: Path, counted: Counter[str]
) -> None:
    ways = ("few_labels_tuned", "prefill")
    whole = gain(tmp_path / "whole", None, *ways)
    cost, total = dict(counted), counted.total()
    parts, before = [], None
    for share in (0.1, 0.3, 0.3, 0.6, 2.0):
        counted.clear()
        gain(tmp_path / "parts", int(share * total), *ways)
        parts.append(counted.total())
        now = rows_of(tmp_path / "parts")
        if before is not None:
            kept = now.merge(before, how="inner")
            assert len(kept) == len(before), "no row is lost or changed"
        before = now
    assert parts[2] <= ONE_ANSWER, "the same budget again: it is spent"
    pd.testing.assert_frame_equal(rows_of(tmp_path / "parts"), rows_of(tmp_path / "whole"))
    assert finding(tmp_path / "parts")["verdict"] == whole["verdict"]
    # What a fit that was cut short generated and scored is spent again; rows and steps of training are not.
    assert spent(tmp_path / "parts")["trained"] == cost["trained"]
    assert sum(parts) <= 1.35 * total


def test_plain_answers_are_never_asked_twice(tmp_path: Path, counted: Counter[str]) -> None:
    gain(tmp_path / "whole", None, "few_shot")
    total, generated = counted.total(), counted["generated"]
    counted.clear()
    for share in (0.1, 0.2, 0.5, 1.1):
        gain(tmp_path / "parts", max(300, int(share * total)), "few_shot")
    assert counted["generated"] == generated


def test_form_keeps_to_its_budget(tmp_path: Path, counted: Counter[str]) -> None:
    spec = FormSpec("specimen:latent-register-0/tuned", "specimen:latent-register-0", limit=24, samples=2)
    whole = tmp_path / "whole"
    run_study(FormSpec(**{**vars(spec), "out": str(whole)}), quiet=True)
    total = counted.total()
    assert sum(spent(whole).values()) == total
    for at, share in enumerate((0.3, 0.3, 2.0)):
        counted.clear()
        run_study(
            FormSpec(**{**vars(spec), "out": str(tmp_path / "run"), "budget": int(share * total)}), quiet=True
        )
        assert sum(spent(tmp_path / "run").values()) <= share * total + ONE_ANSWER
        assert at != 1 or counted.total() <= ONE_ANSWER
    assert sum(spent(tmp_path / "run").values()) == total, "nothing is asked twice"
    pd.testing.assert_frame_equal(rows_of(tmp_path / "run"), rows_of(whole))


def test_improve_keeps_to_its_budget(tmp_path: Path, counted: Counter[str]) -> None:
    spec = ImproveSpec(
        f"specimen:{SPECIMEN}/base",
        f"specimen:{SPECIMEN}",
        ("checker",),
        rounds=1,
        limit=24,
        samples=4,
        steps=4,
    )
    whole = tmp_path / "whole"
    run_study(ImproveSpec(**{**vars(spec), "out": str(whole)}), quiet=True)
    total, trained = counted.total(), counted["trained"]
    assert spent(whole) == {kind: counted[kind] for kind in ("generated", "scored", "trained")}
    counted.clear()
    for share in (0.2, 0.5, 0.8, 2.0):
        run_study(
            ImproveSpec(**{**vars(spec), "out": str(tmp_path / "run"), "budget": int(share * total)}),
            quiet=True,
        )
        assert sum(spent(tmp_path / "run").values()) <= share * total + ONE_STEP
    assert counted["trained"] == trained
    pd.testing.assert_frame_equal(rows_of(tmp_path / "run"), rows_of(whole))
