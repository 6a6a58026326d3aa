"""Asked without its chat template, or answering nothing, a model gets a caveat; a batch has no more rows than told."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from tellapart.cli import run
from tellapart.models.engine import Run
from tellapart.models.local import LocalModel
from tellapart.specimens import load_model

TEMPLATE = "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"


@pytest.fixture
def items(tmp_path: Path) -> str:
    lines = [{"id": str(at), "prompt": f"{at} and", "target": "abc"} for at in range(8)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(tmp_path / "items.jsonl")


def saved(folder: Path, template: str = "", silent: bool = False) -> str:
    """Write a model, with a chat template or without, that ends each answer at once where it is `silent`."""
    model: LocalModel = load_model("latent-register-0/base")
    if silent:
        end = model.tokenizer.eos_token_id
        with torch.no_grad():
            for name, weight in model.module.named_parameters():
                weight.fill_(1.0 if "norm" in name else 0.0)
            embeddings = model.module.get_input_embeddings().weight
            embeddings.fill_(0.1)
            embeddings[end] = 10.0
    model.module.save_pretrained(folder)
    if template:
        model.tokenizer.chat_template = template
    model.tokenizer.save_pretrained(folder)
    return str(folder)


def caveats(out: Path, models: tuple[str, str], items: str, *more: str) -> list[str]:
    limits = ("--samples", "4", "--elicited-samples", "1", "--max-tokens", "4", "--elicitors", "prefill")
    assert run(["gain", *models, "--task", items, "--out", str(out), *limits, *more]) == 0
    finding: dict[str, Any] = json.loads((out / "findings.json").read_text())["findings"][0]
    return finding["caveats"]


def test_a_template_that_is_not_used_is_told(tmp_path: Path, items: str, capsys) -> None:
    models = saved(tmp_path / "chatty", TEMPLATE), saved(tmp_path / "plain")
    told = [one for one in caveats(tmp_path / "run", models, items) if "chat template" in one]
    assert len(told) == 1
    assert "chatty has a chat template and was asked without it (--chat" in told[0]
    assert "was asked without it" in " ".join(capsys.readouterr().out.split())


def test_a_template_that_is_used_is_no_caveat(tmp_path: Path, items: str) -> None:
    models = saved(tmp_path / "a", TEMPLATE), saved(tmp_path / "b", TEMPLATE)
    assert not [one for one in caveats(tmp_path / "run", models, items, "--chat") if "without it" in one]


def test_answers_without_text_are_told(tmp_path: Path, items: str) -> None:
    models = saved(tmp_path / "a", silent=True), saved(tmp_path / "b")
    told = [one for one in caveats(tmp_path / "run", models, items) if "are empty" in one]
    assert len(told) == 1
    assert told[0].startswith("base/plain: ")


def test_a_batch_has_no_more_rows_than_told(tmp_path: Path, items: str, monkeypatch) -> None:
    widths: list[int] = []
    first = Run.__init__

    def remembered(self: Run, *args: Any) -> None:
        first(self, *args)
        widths.append(self.rows.width)

    monkeypatch.setattr(Run, "__init__", remembered)
    models = saved(tmp_path / "a"), saved(tmp_path / "b")
    caveats(tmp_path / "run", models, items, "--max-rows", "3")
    assert set(widths) == {3}
    widths.clear()
    caveats(tmp_path / "run", models, items, "--max-rows", "5")  # the same run: nothing is asked anew
    assert widths == []
