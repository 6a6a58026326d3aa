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
    told = [one for one in caveats(tmp_path / "run", models, items, "--no-chat") if "chat template" in one]
    assert len(told) == 1
    assert "chatty has a chat template and was asked without it (--no-chat)" in told[0]
    assert "was asked without it" in " ".join(capsys.readouterr().out.split())


def prompts_of(out: Path, condition: str) -> set[int]:
    """Return how many tokens the prompts of a condition had."""
    rows = [
        json.loads(line) for path in (out / "rows").glob("*.jsonl") for line in path.read_text().splitlines()
    ]
    return {row["prompt_tokens"] for row in rows if row["condition"] == condition}


def test_a_template_is_used_on_the_side_that_has_one(tmp_path: Path, items: str, capsys) -> None:
    models = saved(tmp_path / "plain"), saved(tmp_path / "chatty", TEMPLATE)
    told = [one for one in caveats(tmp_path / "run", models, items) if "chat template" in one]
    assert len(told) == 1
    assert told[0].endswith("chatty was asked through its chat template (--no-chat leaves it out).")
    assert told[0] in capsys.readouterr().err
    bare, chatty = (min(prompts_of(tmp_path / "run", f"{role}/plain")) for role in ("base", "tuned"))
    assert chatty == bare + 1  # two brackets, and no beginning-of-text token of its own
    caveats(tmp_path / "again", models, items, "--no-chat")
    assert prompts_of(tmp_path / "again", "tuned/plain") == prompts_of(tmp_path / "again", "base/plain")


def test_a_system_prompt_stands_before_the_question(tmp_path: Path, items: str) -> None:
    models = saved(tmp_path / "plain"), saved(tmp_path / "chatty", TEMPLATE)
    told = caveats(tmp_path / "run", models, items, "--system", "be brief")
    assert any("after the system prompt 'be brief'" in one for one in told)
    bare, chatty = (min(prompts_of(tmp_path / "run", f"{role}/plain")) for role in ("base", "tuned"))
    assert chatty > bare + 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--system", "x"), "is not asked in a chat"),
        (("--chat",), "the tokenizer has no chat template"),
        (("--chat", "--no-chat"), "give one of them"),
        (("--system", "x", "--no-chat"), "--no-chat leaves out what it would stand in"),
    ],
)
def test_what_cannot_be_asked_in_a_chat_is_refused(tmp_path, items, options, told, capsys) -> None:
    model = saved(tmp_path / "plain")
    out = tmp_path / "run"
    assert run(["gain", model, model, "--task", items, "--out", str(out), *options]) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_answers_without_text_are_counted_and_explained(tmp_path: Path, items: str) -> None:
    models = saved(tmp_path / "a", silent=True), saved(tmp_path / "b")
    told = [one for one in caveats(tmp_path / "run", models, items) if "are empty" in one]
    assert len(told) == 1
    assert told[0].startswith(
        "base/plain: 24 of 24 answers are empty, and count as wrong: 24 ended at their first token"
    )
    assert "asked without a chat template" in told[0]
    counts = json.loads((tmp_path / "run" / "findings.json").read_text())["findings"][0]["tables"]["counts"]
    assert {row["condition"]: row["empty"] for row in counts if row["condition"].endswith("/plain")} == {
        "base/plain": 24,
        "tuned/plain": 0,
    }


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
