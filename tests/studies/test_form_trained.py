"""Trained instructions: what training uses of an instruction, which trainings count, and intervals over trainings."""

import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tellapart
from tellapart.controls import FAMILIES, Given, controls_of
from tellapart.controls.trained_instructions import TrainedControl, random_guesses
from tellapart.elicit.elicitor import Elicitation, generate
from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.interventions.weights import Weights
from tellapart.models.budget import current
from tellapart.models.model import Answer, Completion, Model, Request
from tellapart.runs.table import read_table
from tellapart.specimens.form.instructions import SPACE, ask_for, word_of
from tellapart.studies.form.analyse import analyse
from tellapart.studies.form.arms import read_arms
from tellapart.studies.form.facts import ArmFacts, Facts, TrainedFacts
from tellapart.studies.form.shares import measure
from tellapart.studies.form.train import Rows
from tellapart.studies.form.trained import (
    FITTABLE,
    FITTED,
    LOSS,
    STEPS,
    fit_condition,
    over_seeds,
    spreads,
)
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer
from tellapart.training.settings import Example, SftSettings, Trained

N, FIT, SEEDS, RUNS = 240, 20, 3, 40
LABELS = "abcd"
TOLD = {
    "untrained": ArmFacts("base"),
    "original": ArmFacts("full"),
    "output_space": ArmFacts("form", decides=True),
    "framed": ArmFacts("second form"),
    "independent": ArmFacts("destroyed"),
    "delusive": ArmFacts("probe"),
}
SCORES = {
    "untrained": 0.26,
    "original": 0.9,
    "output_space": 0.3,
    "framed": 0.9,
    "independent": 0.25,
    "delusive": 0.1,
}
MODEL = "specimen:instructions-space-0"


def frame(name: str, right: np.ndarray, sample: int, split: str, measures: dict[str, float]) -> pd.DataFrame:
    """Return one answer an item: its target, the letter (item mod 4), or the one after it."""
    at = np.arange(len(right))
    answer = [LABELS[(one + (not ok)) % 4] for one, ok in zip(at, right, strict=True)]
    return pd.DataFrame(
        {
            "condition": name, "item": [f"{split}{one:03d}" for one in at], "sample": sample, "cluster": "",
            "split": split, "completion": answer, "answer": answer, "score": right.astype(float), "steps": "",
            "status": "ok", "logprob": math.nan, "tokens": 1, "measures": [measures] * len(at),
        }
    )  # fmt: skip


def rows(
    scores: Mapping[str, float] = SCORES,
    spread: float = 0.0,
    fitted: Mapping[str, float] | None = None,
    fittable: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what the arms answered after each training, whose scores differ by `spread` (sd), and to what they were
    trained on."""
    rng = np.random.default_rng(seed)
    luck = rng.uniform(size=N)
    frames = []
    for arm, score in scores.items():
        for training in range(1 if arm == "untrained" else SEEDS):
            level = score + (0 if arm == "untrained" else rng.normal(0, spread))
            right = np.where(rng.uniform(size=N) < 0.8, luck, rng.uniform(size=N)) < level
            frames.append(frame(f"t/{arm}", right, training, "report", {"answer_found": 1.0}))
            if arm != "untrained":
                measures = {FITTED: (fitted or {}).get(arm, 1.0), FITTABLE: fittable, STEPS: 90.0, LOSS: 0.01}
                frames.append(
                    frame(fit_condition("t", arm), np.ones(FIT, dtype=bool), training, "fit", measures)
                )
    return pd.concat(frames, ignore_index=True)


def finding_of(table: pd.DataFrame, told: Mapping[str, ArmFacts] = TOLD) -> Finding:
    items = [f"report{at:03d}" for at in range(N)]
    about = TrainedFacts(SEEDS, 1, 64, dict.fromkeys(items, 0.25))
    targets = {item: LABELS[at % 4] for at, item in enumerate(items)}
    return analyse(table, Facts({"t": told}, trained={"t": about}, guess_floor=0.25, targets=targets))[0]


def test_the_instruction_matters_or_its_output_space_does() -> None:
    needed, enough = finding_of(rows()), finding_of(rows({**SCORES, "output_space": 0.9}))
    assert (needed.verdict, enough.verdict) == ("substance", "form")
    assert needed.estimates["random_guess"].value == 0.25
    assert needed.estimates["guess_difference/original"].low > 0.5
    assert needed.estimates["fitted/original"].value == 1
    assert "a random guess of the output space scores 25.0 %" in needed.sentence
    assert len(needed.tables["trainings"]) == 5 * SEEDS


@pytest.mark.parametrize("arm", ["original", "output_space"])
def test_labels_that_were_not_fitted_decide_nothing(arm: str) -> None:
    finding = finding_of(rows(fitted={arm: 0.4}))
    assert finding.verdict == "cannot tell"
    assert f"Under {arm.replace('_', ' ')} 3 of 3 trainings did not fit their labels" in finding.sentence


def test_an_unfitted_control_is_set_aside() -> None:
    finding = finding_of(rows(fitted={"independent": 0.4}))
    assert finding.verdict == "cannot tell"
    assert "no arm with both destroyed" in finding.sentence
    assert any("Under independent 3 of 3 trainings" in caveat for caveat in finding.caveats)


def test_labels_that_the_prompts_cannot_tell_need_not_be_fitted() -> None:
    assert finding_of(rows(fitted={"output_space": 0.5}, fittable=0.5)).verdict == "substance"


def test_one_answer_to_everything_decides_nothing() -> None:
    table = rows()
    table.loc[table["condition"] == "t/output_space", ["answer", "completion"]] = "a"
    finding = finding_of(table)
    assert finding.verdict == "cannot tell"
    assert "3 of 3 trainings collapsed to one answer" in finding.sentence


def test_a_training_that_is_missing_decides_nothing() -> None:
    table = rows()
    lost = (table["sample"] == 2) & table["condition"].isin(["t/output_space", "t.fit/output_space"])
    finding = finding_of(table[~lost])
    assert finding.verdict == "cannot tell"
    assert "2 of 3 trainings were done" in finding.sentence


def test_no_training_beats_a_guess() -> None:
    finding = finding_of(rows(dict.fromkeys(SCORES, 0.25)))
    assert finding.verdict == "cannot tell"
    assert "not shown to lie above a random guess" in finding.sentence


def test_trainings_that_differ_widen_every_interval() -> None:
    steady, shaky = finding_of(rows()).estimates, finding_of(rows(spread=0.1, seed=3)).estimates
    assert steady["seed_spread/original"].value < 0.03 < 0.05 < shaky["seed_spread/original"].value
    for name in ("form_share", "gain", "full_score", "arm_difference/framed", "score/output_space"):
        assert shaky[name].high - shaky[name].low > 1.5 * (steady[name].high - steady[name].low)
        assert "trainings" in shaky[name].method
    assert "trainings" not in shaky["base_score"].method


def test_intervals_hold_over_trainings() -> None:
    """Intervals over items alone hold the truth too seldom where trainings differ by 6 points; these hold it."""
    about = TrainedFacts(SEEDS, 1, 64, {f"report{at:03d}": 0.25 for at in range(N)})
    told = {arm: TOLD[arm] for arm in ("untrained", "original", "output_space")}
    scores = {arm: SCORES[arm] for arm in told}
    held, alone = np.zeros(2), np.zeros(2)
    for seed in range(RUNS):
        table = rows(scores, spread=0.06, seed=seed)
        arms = read_arms(table, "t", told, 1.0)
        narrow = measure(arms, told, 0.05)
        wide = over_seeds(narrow, arms, spreads(table, "t", told, arms, about))
        for found, count in ((wide.estimates, held), (narrow.estimates, alone)):
            gain, share = found["gain"], found["form_share"]
            count += [gain.low <= 0.64 <= gain.high, share.low <= 0.04 / 0.64 <= share.high]
    assert held.min() >= 0.9 * RUNS
    assert alone.min() < 0.85 * RUNS


def task(several: bool) -> Task:
    """Return a task of one instruction in its template, or of two, one an item, over the same answers."""
    items = tuple(
        Item(f"i{at}", {"definition": f"Give letter {1 + at % 2}.", "word": f"w{at}"}, (LABELS[at % 4],))
        for at in range(24)
    )
    template = "{definition}\n\n{word}=" if several else "Give the right letter of it.\n\n{word}="
    return Task("letters", items, template, make_scorer("exact"))


@pytest.mark.parametrize("several", [False, True])
def test_what_each_arm_is_trained_on(several: bool) -> None:
    given = Given(task(several), 0)
    for control in controls_of("trained_instructions"):
        assert isinstance(control, TrainedControl)
        made = control.make(given)
        examples = control.examples(given, made, made.task.items, 0)
        right = sum(one.answer == item.target[0] for one, item in zip(examples, made.task.items, strict=True))
        wanted = {"delusive": range(1), "independent": range(1, 22)}.get(control.name, range(24, 25))
        assert right in wanted, control.name
        assert ("Give" in examples[0].prompt) == (control.name != "output_space")
    spaces = {"i0": "a, c", "i1": "b, d"} if several else {"i0": "a, b, c, d", "i1": "a, b, c, d"}
    space = next(one for one in controls_of("trained_instructions") if one.name == "output_space")
    made = space.make(given).task
    for item in made.items[:2]:
        assert made.prompt(item).startswith(f"Answer with one of: {spaces[item.id]}.\n\n")
    assert set(random_guesses(given.task).values()) == {0.5 if several else 0.25}


def test_it_runs_only_where_it_is_named() -> None:
    assert [name for name, one in FAMILIES.items() if not one.default] == ["trained_instructions"]


def words(path: Path, several: bool) -> Path:
    """Write a task of letters of words: under one instruction, or under two, so that only the words of an item's own
    instruction say which letter is right."""
    rng = random.Random(1)
    found: dict[str, None] = {}
    while len(found) < 140:
        word = word_of(rng)
        if word[0] != word[-1]:
            found[word] = None
    lines = []
    for at, word in enumerate(found):
        place = (1, 5)[at % 2] if several else 1
        fields = {"id": word, "instruction": f"{ask_for(place)} {SPACE}", "word": word}
        lines.append(json.dumps({**fields, "prompt": word, "target": word[place - 1]}))
    path.mkdir(exist_ok=True)
    (path / "words.jsonl").write_text("\n".join(lines) + "\n")
    toml = 'template = "{instruction}\\n\\n{word}="\nscorer = "exact"\nmax_tokens = 4\nstop = ["\\n"]\n'
    (path / "words.toml").write_text(toml)
    return path / "words.jsonl"


class Reader(Model):
    """Gives one letter of the word after "=": the last one, until it learns from examples.

    Then it knows these by heart, and of every text before the word which letter it asked for most often.
    """

    reference = fingerprint = "reader"

    def __init__(self) -> None:
        self.by_heart: dict[str, str] = {}
        self.places: dict[str, int] = {}

    def learn(self, examples: Sequence[Example]) -> None:
        """Take in examples, none for the untrained reader."""
        self.by_heart = {one.prompt: one.answer for one in examples}
        seen: dict[str, Counter[int]] = {}
        for one in examples:
            text, word = one.prompt.rstrip("=").rsplit("\n\n", 1)
            seen.setdefault(text, Counter()).update(at for at, c in enumerate(word) if c == one.answer)
        self.places = {text: counted.most_common(1)[0][0] for text, counted in seen.items()}

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for index, request in enumerate(requests):
            text, word = str(request.prompt).rstrip("=").rsplit("\n\n", 1)
            said = self.by_heart.get(str(request.prompt)) or word[self.places.get(text, -1)]
            yield Answer(index, Completion(said, (), (), None, None, "stop", 1, 0.0, generated=1))


class Copied:
    """Copies of a reader; each training costs as many tokens as it has labels. `left` trainings are done before it is
    stopped as a killed run is; a `deaf` copy learns nothing."""

    change = SimpleNamespace(as_json=lambda: {"kind": "by heart"})
    settings = SftSettings()

    def __init__(self, model: Reader, left: int = 1000, deaf: str = "") -> None:
        self.model, self.left, self.deaf = model, left, deaf
        self.done: list[str] = []
        self.examples: list[Sequence[Example]] = []

    def trained(self, examples: Sequence[Example], seed: int, title: str) -> Trained:
        if len(self.done) == self.left:
            raise KeyboardInterrupt
        current().require()
        current().charge("trained", len(examples))
        self.done.append(title)
        self.examples.append([] if self.deaf and self.deaf in title else examples)
        return Trained(Weights(), ({"loss": 0.0},), len(self.examples), 1.0, 1)

    def answers(self, trained: Trained, rows: Rows) -> Iterator[Elicitation]:
        self.model.learn(self.examples[trained.steps - 1])
        yield from generate(self.model, rows)


def run_reader(
    monkeypatch: pytest.MonkeyPatch, path: Path, several: bool, copied: Copied, **more: Any
) -> Finding:
    monkeypatch.setattr("tellapart.models.open.open_model", lambda *_: copied.model)
    monkeypatch.setattr("tellapart.studies.form.models.copies_of", lambda _: copied)
    asked_for: dict[str, Any] = {"model": "reader", "family": ("trained_instructions",), "json": True, **more}
    task = str(words(path, several))
    (finding,) = tellapart.form(task=task, out=str(path / "run"), **asked_for).findings
    return finding


@pytest.mark.parametrize(("several", "word"), [(True, "substance"), (False, "form")])
def test_words_where_instructions_differ_and_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, several: bool, word: str
) -> None:
    copied = Copied(Reader())
    finding = run_reader(monkeypatch, tmp_path, several, copied)
    assert finding.verdict == word, finding.sentence
    assert len(copied.done) == 15
    assert all(finding.estimates[f"fitted/{arm}"].value == 1 for arm in TOLD if arm != "untrained")
    table = read_table(tmp_path / "run")
    assert set(table.loc[table["split"] == "fit", "item"]).isdisjoint(
        table.loc[table["split"] == "report", "item"]
    )
    one = table[table["condition"] == "trained_instructions/original"]
    assert (one.groupby("item")["sample"].nunique() == 3).all()
    assert "Did each training take?" in (tmp_path / "run" / "report.html").read_text()


def test_a_copy_that_does_not_learn_decides_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copied = Copied(Reader(), deaf="output_space, training 2")
    finding = run_reader(monkeypatch, tmp_path, False, copied)
    assert finding.verdict == "cannot tell"
    assert "Under output space 1 of 3 trainings did not fit their labels" in finding.sentence


def test_a_stopped_run_trains_only_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = Copied(Reader(), left=7)
    with pytest.raises(KeyboardInterrupt):
        run_reader(monkeypatch, tmp_path, True, first)
    rest = Copied(Reader())
    finding = run_reader(monkeypatch, tmp_path, True, rest)
    assert len(rest.done) == 8
    assert not set(first.done) & set(rest.done)
    whole = run_reader(monkeypatch, tmp_path / "whole", True, Copied(Reader()))
    assert finding.estimates["form_share"] == whole.estimates["form_share"]


def test_trained_tokens_are_charged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small = Copied(Reader())
    finding = run_reader(monkeypatch, tmp_path, True, small, budget=400)
    assert finding.verdict == "cannot tell"
    assert 0 < len(small.done) < 15
    assert any("budget of 400 tokens was spent" in caveat for caveat in finding.caveats)
    larger = Copied(Reader())
    assert run_reader(monkeypatch, tmp_path, True, larger, budget=100_000).verdict == "substance"


def test_a_real_training_of_few_updates_decides_nothing(tmp_path: Path) -> None:
    """Two updates of a specimen's copies fit nothing; the run's checkpoints are gone when it is done."""
    task, out = str(words(tmp_path, True)), tmp_path / "run"
    more: dict[str, Any] = {"training_steps": 2, "training_seeds": 2, "limit": 40, "json": True}
    (finding,) = tellapart.form(
        model=MODEL, task=task, family=("trained_instructions",), out=str(out), **more
    ).findings
    assert finding.verdict == "cannot tell"
    assert "did not fit their labels" in finding.sentence
    assert finding.estimates["base_score"].value > 0
    assert not (out / "scratch").exists()


def test_a_model_without_weights_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tellapart.models.open.open_model", lambda *_: Reader())
    with pytest.raises(UserMistake, match="give a local model"):
        tellapart.form(
            model="reader",
            task=str(words(tmp_path, True)),
            family=("trained_instructions",),
            out=str(tmp_path / "run"),
            json=True,
        )
