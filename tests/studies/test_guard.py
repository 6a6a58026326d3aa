"""`tellapart guard` on counts and logs: planted harm, healthy runs, hard sets, and inputs that hold no answer."""

import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tellapart.cli import run
from tellapart.errors import UserMistake
from tellapart.report.sections import guard as section
from tellapart.stats.difficulty import Bands
from tellapart.stats.rollout_signals import SIGNALS
from tellapart.studies import run_study
from tellapart.studies.guard.alarms import find_alarms
from tellapart.studies.guard.analyse import during
from tellapart.studies.guard.decide import decide_problems
from tellapart.studies.guard.spec import GuardSpec
from tellapart.studies.guard.training_log import TrainingLog, final_answer

GROUPS, SIZE = 16, 8


def _step(rng, step, rate, repeat=0.0, skip=0.05, words=40):
    """Rollouts of one step: p `rate`; wrong answers are "0" with chance `repeat`; steps are missing with `skip`."""
    rows = []
    for group in range(GROUPS):
        for _ in range(SIZE):
            right = rng.random() < rate
            wrong = "0" if rng.random() < repeat else str(rng.integers(1, 500))
            steps = "absent" if rng.random() < skip else "valid"
            length = max(3, int(rng.normal(words, 8)))
            answer = str(1000 + group) if right else wrong
            rows.append(
                (step, f"q{step % 7}-{group}", "so " * length + answer, float(right), answer, steps, length)
            )
    return rows


def _log(rows):
    names = ["step", "item", "completion", "score", "answer", "steps", "length"]
    frame = pd.DataFrame(rows, columns=names).assign(entropy=math.nan, target="")
    return TrainingLog(frame.assign(question=frame["item"]), "trl", (), ())


def _healthy(seed, steps=30):
    rng = np.random.default_rng(seed)
    return _log([r for t in range(steps) for r in _step(rng, t, 0.3 + 0.4 * t / steps, skip=0.05)])


def _harmed(seed, steps=30):
    rng = np.random.default_rng(seed)
    rows = []
    for t in range(steps):
        far = max(0.0, (t - 10) / 20)
        rows += _step(rng, t, 0.03, repeat=0.6 * far, skip=0.05 + 0.6 * far, words=40 - 15 * far)
    return _log(rows)


def test_planted_harm_alarms_and_healthy_runs_do_not():
    harmed = [during(_harmed(seed), 1.0) for seed in range(10)]
    assert all(finding.verdict == "alarm" for finding in harmed)
    for finding in harmed:
        alarms = finding.tables["guard_signals"]["alarms"]
        assert {"skipped", "repeats_across"} <= {alarm["signal"] for alarm in alarms}
        assert all(alarm["step"] > 10 for alarm in alarms if alarm["signal"] in ("skipped", "repeats_across"))
    healthy = [during(_healthy(seed), 1.0).verdict for seed in range(40)]
    assert healthy.count("alarm") <= 2


def test_difficulty_is_noticed_and_never_alarms():
    rng = np.random.default_rng(0)
    rows = [r for t in range(30) for r in _step(rng, t, 0.5 if t < 12 else 0.02)]
    finding = during(_log(rows), 1.0)
    told = {alarm["signal"]: alarm["harm"] for alarm in finding.tables["guard_signals"]["alarms"]}
    assert told["all_wrong"] is False
    assert finding.verdict == "no alarm"


def _unchecked(paid_for_work, steps=12):
    """A run without a step checker: half of the answers are worked through; reward goes to them or to the others."""
    rng = np.random.default_rng(3)
    rows = []
    for step in range(steps):
        for group in range(GROUPS):
            for _ in range(SIZE):
                works = rng.random() < 0.5
                right = works == paid_for_work and rng.random() < 0.3
                text = "a1;b2;c3>c3" if works else ">c3"
                rows.append((step, f"q{group}", text, float(right), "c3", "", len(text)))
    return _log(rows)


def test_reward_without_work_alarms_at_once_and_needs_no_checker():
    harmed = during(_unchecked(False), 1.0).tables["guard_signals"]
    first = harmed["alarms"][0]
    assert (first["signal"], first["step"], first["harm"]) == ("thin_paid", 2, True)
    assert not [row for row in harmed["behind"] if row["signal"] == "thin_paid" and ";" in row["completion"]]
    assert during(_unchecked(True), 1.0).verdict == "no alarm"


def test_a_signal_that_is_not_known_never_alarms_and_one_odd_step_is_none():
    flat = {name: [0.1] * 20 for name in SIGNALS}
    assert find_alarms(range(20), flat) == []
    assert find_alarms(range(20), {"skipped": [0.1] * 15 + [0.9] + [0.1] * 4}) == []
    assert find_alarms(range(20), {"skipped": [0.1] * 8 + [math.nan] * 12}) == []
    alarm = find_alarms(range(20), {"skipped": [0.1] * 15 + [0.9] * 5})[0]
    assert (alarm.step, alarm.baseline, alarm.limit) == (16, pytest.approx(0.1), pytest.approx(0.2))


def _shorter(seed, rises=True, bad=False, steps=30):
    """Chains that lose three quarters of their steps, while the reward rises (or not); `bad`: and steps go missing."""
    rng, rows = np.random.default_rng(seed), []
    for step in range(steps):
        far = step / steps
        for group in range(GROUPS):
            for _ in range(SIZE):
                right = rng.random() < (0.3 + 0.6 * far if rises else 0.5)
                text = "step. " * max(2, round(rng.normal(16 - 13 * far, 1))) + str(
                    group if right else rng.integers(99, 999)
                )
                steps_are = "absent" if bad and rng.random() < far else "valid" if bad else ""
                answer = text.split()[-1]
                rows.append((step, f"q{group}", text, float(right), answer, steps_are, len(text)))
    return _log(rows)


@pytest.mark.parametrize("seed", range(3))
def test_shorter_chains_alarm_unless_the_reward_rises_and_nothing_else_speaks(seed):
    fine = during(_shorter(seed), 1.0)
    assert fine.verdict == "no alarm"
    told = {alarm["signal"]: alarm["harm"] for alarm in fine.tables["guard_signals"]["alarms"]}
    assert told["length"] is False
    assert "length" in fine.sentence
    assert during(_shorter(seed, rises=False), 1.0).verdict == "alarm"
    worse = during(_shorter(seed, bad=True), 1.0)
    harms = {alarm["signal"] for alarm in worse.tables["guard_signals"]["alarms"] if alarm["harm"]}
    assert {"skipped", "length"} <= harms


def test_a_run_whose_groups_earn_alike_has_no_advantage_anywhere():
    healthy = _healthy(0).frame
    alike = TrainingLog(healthy.assign(score=1.0), "trl", (), ())
    alone = TrainingLog(healthy.drop_duplicates(["step", "item"]).reset_index(drop=True), "trl", (), ())
    for log, why in ((alike, "all rewards of a group are equal"), (alone, "all groups are of one answer")):
        finding = during(log, 1.0)
        assert finding.verdict == "no advantage anywhere"
        assert why in finding.sentence
    harmed = _harmed(0).frame.assign(score=0.0)
    assert during(TrainingLog(harmed, "trl", (), ()), 1.0).verdict == "alarm"


def _counted(folder, p, n, seed):
    """Run guard on problems of success rates p with n rollouts each; return the finding and each problem's line."""
    c = np.random.default_rng(seed).binomial(n, p)
    file = folder / "problems.jsonl"
    file.write_text("".join(json.dumps({"id": i, "n": n, "c": int(x)}) + "\n" for i, x in enumerate(c)))
    finding = run_study(GuardSpec(str(file), out=str(folder / "out")), quiet=True).findings[0]
    lines = [
        json.loads(line)
        for name in ("kept", "held", "dropped")
        for line in (folder / f"out/{name}.jsonl").read_text().splitlines()
    ]
    return finding, sorted(lines, key=lambda line: line["id"])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("p", [0.01, 0.05])
def test_lucky_hits_among_many_hopeless_problems_are_not_kept(p, seed, tmp_path):
    finding, lines = _counted(tmp_path, np.full(2000, p), 8, seed)
    assert sum(line["guard_decision"] == "keep" for line in lines) <= 2
    assert not any(line["guard_decision"] == "drop" for line in lines)
    once = next(line for line in lines if line["c"] == 1)
    assert once["guard_open"]
    assert once["guard_reason"].startswith("too few rollouts: 1 of 8 right, a lucky hit with a chance of")
    assert "more in all would tell" in finding.sentence
    if p == 0.01:
        assert once["guard_more"] > 8
        assert finding.verdict == "too few rollouts"


@pytest.mark.parametrize("seed", range(3))
def test_eight_of_eight_is_not_solved(seed, tmp_path):
    finding, lines = _counted(tmp_path, np.full(1000, 0.8), 8, seed)
    assert finding.verdict == "keep some"
    assert not any(line["guard_decision"] == "drop" for line in lines)
    assert sum(line["guard_decision"] == "keep" for line in lines) > 800
    assert all(line["guard_open"] for line in lines if line["c"] == 8)


@pytest.mark.parametrize("seed", range(3))
def test_a_mixed_population_keeps_what_is_learnable(seed, tmp_path):
    p = np.repeat([0.04, 0.6, 1.0], [1800, 200, 200])
    _, lines = _counted(tmp_path, p, 8, seed)
    kept = np.array([line["guard_decision"] == "keep" for line in lines])
    assert kept[:1800].sum() <= 0.025 * kept.sum()
    assert kept[1800:2000].mean() > 0.7
    assert kept[2000:].sum() == 0


@pytest.mark.parametrize("seed", range(3))
def test_problems_that_are_tried_once_or_always_alike_give_no_advantage(seed, tmp_path):
    cases = ((np.full(300, 0.5), 1), (np.repeat([0.0, 1.0], 150), 8), (np.zeros(300), 8))
    for p, n in cases:
        finding, lines = _counted(tmp_path, p, n, seed)
        assert finding.verdict == "no advantage anywhere"
        assert "too few rollouts" in finding.sentence
        assert {line["guard_decision"] for line in lines} == {"hold"}
        shutil.rmtree(tmp_path / "out")


def _frame(*rows):
    return pd.DataFrame(rows, columns=["n", "c", "checked", "lucky"])


def test_decisions_go_by_reasoning_and_not_by_difficulty():
    told = decide_problems(
        _frame(
            (64, 32, 0, 0), (64, 64, 0, 0), (64, 0, 0, 0), (64, 2, 2, 0), (64, 2, 0, 0), (64, 30, 20, 20), (64, 1, 1, 1)
        ),
        Bands(), None,
    )  # fmt: skip
    assert told.decision == ("keep", "drop", "hold", "keep", "hold", "drop", "hold")
    assert "hard but solvable" in told.reason[3]
    assert "reward without reasoning" in told.reason[5]


def test_a_guess_is_no_success():
    frame = _frame((64, 16, 0, 0), (64, 40, 0, 0), (64, 2, 0, 0))
    assert decide_problems(frame, Bands(), 0.25).decision == ("hold", "keep", "hold")
    assert decide_problems(frame, Bands(), 0.0).decision == ("keep", "keep", "keep")


def test_hard_but_solvable_sets_are_never_dropped_whole():
    rng = np.random.default_rng(0)
    for seed in range(50):
        c = np.minimum(rng.binomial(64, rng.uniform(0.002, 0.06, 40)), 3)  # below 1 in 16
        for guess in (None, 0.0):
            told = decide_problems(_frame(*[(64, one, 0, 0) for one in c]), Bands(), guess).decision
            assert "drop" not in told, seed
            assert "keep" in told, seed


def test_counts_end_to_end(tmp_path):
    lines = [
        {"id": i, "prompt": f"q{i}", "n": 64, "c": c, "answer": [i]} for i, c in enumerate((0, 3, 32, 64))
    ]
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = run_study(GuardSpec(str(path), out=str(tmp_path / "out")), quiet=True)
    assert run.findings[0].verdict == "keep some"
    held = {}
    for name in ("kept", "held", "dropped"):
        read = [json.loads(line) for line in (tmp_path / f"out/{name}.jsonl").read_text().splitlines()]
        held[name] = [line["id"] for line in read]
        assert all(line["guard_reason"] and line["answer"] == [line["id"]] for line in read)
    assert held == {"kept": [2], "held": [0, 1], "dropped": [3]}
    assert (tmp_path / "out/report.html").exists()
    assert json.loads((tmp_path / "out/spec.json").read_text())["spec"]["study"] == "guard"


def test_ids_that_utf_8_cannot_hold_stay_apart(tmp_path):
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(f'{{"id": "\\ud80{i}", "n": 64, "c": {c}}}\n' for i, c in enumerate((0, 32, 64))))
    run = run_study(GuardSpec(str(path), out=str(tmp_path / "out")), quiet=True)
    assert run.findings[0].verdict == "keep some"
    kept = (tmp_path / "out/kept.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in kept] == ["\ud801"]


def test_one_shot_rlvr_is_counted_exactly(shared, tmp_path):
    spec = GuardSpec(str(shared / "data/one_shot_rlvr/acc_step_500.json"), out=str(tmp_path / "out"))
    table = run_study(spec, quiet=True).findings[0].tables["guard_problems"]
    rows = {row["item"]: row for row in table["problems"]}
    assert (len(rows), table["group"]) == (1209, 8)
    assert [rows[item]["rank"] for item in ("124", "267", "682", "789")] == [1, 2, 13, 1209]
    visits = [row["n"] / 8 for row in rows.values()]
    assert (min(visits), max(visits)) == (44, 57)
    kept = sum(
        len((tmp_path / f"out/{n}.jsonl").read_text().splitlines()) for n in ("kept", "held", "dropped")
    )
    assert kept == 1209


def _line(tool, step, row):
    if tool == "verl":
        return {
            "input": row.item,
            "output": row.completion,
            "score": row.score,
            "step": step,
            "steps": row.steps,
        }
    group = int(row.item.split("-")[1])
    ids = {"step": step, "prompt_idx": group, "prompt_tokens": [step % 7, group]}
    return {**ids, "response_tokens": [1] * row.length, "reward": row.score, "logprobs": [-1.0] * row.length}


@pytest.mark.parametrize("tool", ["trl", "verl", "open_instruct"])
def test_logs_of_trainers_end_to_end(tool, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    frame = _harmed(0).frame
    for step, rows in frame.groupby("step"):
        if tool == "trl":
            told = rows[["step", "item", "completion", "score", "steps"]]
            told.rename(columns={"item": "prompt", "score": "right"}).to_parquet(
                folder / f"completions_{step:05}.parquet"
            )
            continue
        lines = [_line(tool, step, row) for row in rows.itertuples()]
        (folder / f"run_rollouts_{step}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = run_study(GuardSpec(str(folder), out=str(tmp_path / "out")), quiet=True)
    first, second = run.findings
    table = first.tables["guard_signals"]
    assert table["steps"] == list(range(30))
    assert second.tables["guard_problems"]["group"] == SIZE
    assert second.tables["guard_problems"]["total"] == 7 * GROUPS
    assert first.verdict == "alarm"
    if tool == "open_instruct":  # token ids only: length and entropy, no answers and no steps
        assert table["signals"]["entropy"][0] == pytest.approx(1.0)
        assert set(table["signals"]["skipped"]) == {None}
        assert {alarm["signal"] for alarm in table["alarms"] if alarm["harm"]} == {"length"}
    made = section.signals(first, 1)
    assert made is not None
    assert "Alarm at step" in made.body
    assert section.problems(second, 2) is not None


def test_hostile_text_is_escaped_in_the_section():
    rows = _harmed(1).frame.assign(completion="<script>alert(1)</script>")
    made = section.signals(during(TrainingLog(rows, "trl", (), ()), 1.0), 1)
    assert made is not None
    assert "<script>" not in made.body
    assert "&lt;script&gt;" in made.body


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", '{"1": [0.5, 1.5]}', "between 0 and 1"),
        ("b.json", '{"1": []}', "between 0 and 1"),
        ("c.jsonl", '{"item": "a", "n": 4, "c": 5}\n', "0 <= c <= n"),
        ("d.jsonl", '{"item": "a", "n": 4, "c": 1}\n{"item": "a", "n": 4, "c": 1}\n', "there twice"),
        ("e.csv", "item,score\na,0.1\na,0.2\na,0.3\n", "--success"),
        ("f.txt", "nonsense\n", "no known log"),
        ("g.json", '{"pass@1": 0.12, "pass@10": 0.31}', "'pass@1' is the name of a metric"),
        ("h.json", '{"acc,none": 0.5, "acc_stderr,none": 0.01, "n": 1}', "is the name of a metric"),
        ("i.jsonl", '{"item": "mmlu/acc", "accuracy": 0.5}\n', "is the name of a metric"),
    ],
)
def test_bad_input_is_told_in_one_line(name, content, told, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserMistake, match=told) as raised:
        run_study(GuardSpec(str(tmp_path / name), out=str(tmp_path / "out")), quiet=True)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_final_answers():
    assert final_answer(r"so \boxed{1,234}. Done 5") == "1234"
    assert final_answer("work\n#### 42") == "42"
    assert final_answer("3 + 4 = 7") == "7"
    assert final_answer("maybe\nBlue \n") == "blue"
    assert final_answer("") == ""


def test_no_torch():
    code = "import sys, tellapart.studies.guard.study; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def _samples(folder, right):
    """A folder of lm-eval: 30 documents, of which two ask in the same words with other options."""
    folder.mkdir()
    lines = []
    for i in range(30):
        doc = {"question": "which is right?" if i < 2 else f"what is {i}?", "choices": [f"a{i}", f"b{i}"]}
        request = {"gen_args_0": {"arg_0": f"{doc['question']} {doc['choices']}", "arg_1": {"until": []}}}
        lines.append({"doc_id": i, "doc": doc, "target": "x", "arguments": request, "resps": [[f"y{i}"]],
                      "filtered_resps": [f"y{i}"], "filter": "none", "metrics": ["acc"],
                      "acc": float(i < right)})  # fmt: skip
    file = folder / "samples_t_2026-01-01T00-00-00.000000.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(folder)


def test_the_folders_that_gain_reads(tmp_path, capsys):
    base, tuned = _samples(tmp_path / "base", 10), _samples(tmp_path / "tuned", 20)
    assert run(["guard", base, "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    for decision, name, count in (("keep", "kept", 0), ("hold", "held", 30), ("drop", "dropped", 0)):
        file = tmp_path / f"out/{name}.jsonl"
        assert f"{decision}: {count} in {file}" in told
        assert len(file.read_text().splitlines()) == count
    assert run(["guard", "--before", base, "--after", tuned, "--out", str(tmp_path / "after")]) == 0
    assert "10 items kept, 0 lost, 10 gained" in capsys.readouterr().out
    assert run(["gain", "--logs", base, tuned, "--out", str(tmp_path / "gain")]) == 0
    assert run(["guard", f"{tmp_path}/gain#tuned/plain", "--out", str(tmp_path / "of-run")]) == 0
    assert "Of 30 problems" in capsys.readouterr().out
    assert run(["guard", base, "--out", str(tmp_path / "out")]) == 0  # the same command goes on
    _samples(tmp_path / "other", 11)
    (tmp_path / "base" / "samples_t_2026-01-01T00-00-00.000000.jsonl").write_bytes(
        (tmp_path / "other" / "samples_t_2026-01-01T00-00-00.000000.jsonl").read_bytes()
    )
    assert run(["guard", base, "--out", str(tmp_path / "out")]) == 2  # other content
    assert "fingerprint" in capsys.readouterr().err


def test_a_folder_of_a_trainer_with_other_files_is_refused(tmp_path, capsys):
    mixed = tmp_path / "mixed"
    _samples(mixed, 10)
    lines = [{"input": "q", "output": "a", "score": 1.0, "step": 1, "gts": "a"} for _ in range(4)]
    (mixed / "1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run(["guard", str(mixed), "--out", str(tmp_path / "out")]) == 2
    assert (
        "is no log of TRL, verl or open-instruct; give a folder of one run's logs" in capsys.readouterr().err
    )


def test_the_page_says_what_it_is_of(tmp_path):
    base = _samples(tmp_path / "base", 10)
    done = run_study(GuardSpec(base, out=str(tmp_path / "out")), quiet=True)
    page = (done.folder / "report.html").read_text()
    assert "30 problems" in page
    assert "plain samples an item" not in page  # no model was asked
    assert base in page


def test_equal_questions_of_other_answers_are_other_problems(tmp_path):
    lines = [f"{i},which is right?,{i % 2},{int(i < 4)}" for i in range(8)]
    (tmp_path / "log.csv").write_text("item,question,target,correct\n" + "\n".join(lines) + "\n")
    done = run_study(GuardSpec(str(tmp_path / "log.csv"), out=str(tmp_path / "out")), quiet=True)
    rows = done.findings[0].tables["guard_problems"]["problems"]
    assert [(row["n"], row["c"]) for row in rows] == [(4, 2), (4, 2)]


def test_the_page_draws_the_success_rates(tmp_path):
    lines = [{"id": i, "n": 10, "c": c} for i, c in enumerate([0, 0, 5, 9, 10, 10])]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run_study(GuardSpec(str(tmp_path / "problems.jsonl"), out=str(tmp_path / "out")), quiet=True)
    page = (done.folder / "report.html").read_text()
    assert "All 6 problems by the share" in page
    for told in ("0 to 10 %: 2 problems", "50 to 60 %: 1 problem", "90 to 100 %: 3 problems"):
        assert told in page
    assert done.plot().title == "problems by success rate"
