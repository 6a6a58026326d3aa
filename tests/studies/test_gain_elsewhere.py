"""`gain --logs BASE TUNED --way NAME=LOG`: a run made here, exported and read back, gives the same figures; what may
have been told right answers, is scored otherwise or asks other items raises no bound, and says so."""

import json
import random
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tellapart.cli import run
from tellapart.report.export import export_run
from tellapart.report.log_export import reading_back

SPECIMEN = "latent-register-0"
METHODS = ("cot_decoding", "few_shot", "routing_first")
N = 40


@pytest.fixture(scope="module")
def made_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of models made here, with a method that was told nothing, one that was told labels, and one of routing."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("gain") / "run"
    models = [f"specimen:{SPECIMEN}/{role}" for role in ("base", "tuned")]
    small = ["--limit", "48", "--samples", "8", "--elicited-samples", "2", "--elicitors", *METHODS]
    assert run(["gain", *models, "--task", f"specimen:{SPECIMEN}", "--out", str(out), "--json", *small]) == 0
    return out


def finding_in(out: Path) -> dict[str, Any]:
    return json.loads((out / "findings.json").read_text())["findings"][0]


def test_a_run_exported_and_read_back_gives_the_same_figures(made_here: Path, tmp_path: Path) -> None:
    words = reading_back(made_here, export_run(made_here, "jsonl", tmp_path / "logs"))
    assert shlex.split(shlex.join(words))[1] == "gain"
    assert run([*words[1:], "--json", "--out", str(tmp_path / "again")]) == 0
    here, again = finding_in(made_here), finding_in(tmp_path / "again")
    assert (here["verdict"], again["verdict"]) == ("elicited", "elicited")
    prefixes = ("recovered_share/", "null_share/", "bits_supplied/", "score/", "held_at", "base_", "tuned_")
    kept = (*prefixes, "gain", "guess_floor", "elicited_share", "content_part", "form_part")
    names = [name for name in here["estimates"] if name.startswith(kept) and name != "base_success"]
    assert {"recovered_share/cot_decoding@max", "null_share/few_shot", "held_at_least"} <= set(names)
    for name in names:
        one, other = here["estimates"][name], again["estimates"][name]
        for part in ("value", "low", "high"):
            expected = other[part] if other[part] is None else pytest.approx(other[part], rel=1e-9)
            assert one[part] == expected, (name, part)
        assert one["n"] == other["n"]
    assert here["sentence"] == again["sentence"].replace(" (as stated)", "")
    told = {row["name"]: row["bits"] for row in again["tables"]["elicitors"]}
    assert told["cot_decoding@max"] == 0
    assert told["few_shot"] > 1


def test_routing_through_the_tuned_model_licenses_nothing(
    made_here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = export_run(made_here, "jsonl", tmp_path / "logs")
    own = dict(zip(done.conditions, done.paths, strict=True))
    name = next(one for one in own if one.startswith("base/routing_first") and "~" not in one)
    sides = ["--logs", str(own["base/plain"]), str(own["tuned/plain"])]
    for at, bits in enumerate(([], ["--bits", "routed=300"])):
        out = tmp_path / f"run{at}"
        assert run(["gain", *sides, "--way", f"routed={own[name]}", *bits, "--json", "--out", str(out)]) == 0
        found = finding_in(out)
        assert found["estimates"]["recovered_share/routed"]["value"] > 0.5
        assert found["verdict"] == "cannot tell"
        assert "routed" not in found["estimates"]["held_at_least"]["method"]
    capsys.readouterr()
    whole = [f"{made_here}#{one}" for one in ("base/plain", "tuned/plain", name)]
    command = ["gain", "--logs", *whole[:2], "--way", f"r={whole[2]}", "--bits", "r=0"]
    assert run([*command, "--out", str(tmp_path / "denied")]) == 2
    assert "told something of right answers" in capsys.readouterr().err
    assert not (tmp_path / "denied").exists()


def rows(right: float, seed: int, items: Sequence[int] = range(N), **more: Any) -> list[dict[str, Any]]:
    """Return answers to made-up sums: numbers of four digits, of which a share is right."""
    draw = random.Random(seed)
    made = []
    for item in items:
        target = str(1000 + 37 * item)
        for sample in range(4):
            answer = target if draw.random() < right else str(draw.randrange(1000, 9999))
            made.append({
                "item": f"i{item}", "question": f"What is sum number {item}?", "target": target, "sample": sample,
                "completion": answer, "correct": float(answer == target), **more,
            })  # fmt: skip
    return made


def log(path: Path, made: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in made))
    return str(path)


@pytest.fixture
def sides(tmp_path: Path) -> list[str]:
    return [
        "--logs",
        log(tmp_path / "base.jsonl", rows(0.05, 1)),
        log(tmp_path / "tuned.jsonl", rows(0.9, 2)),
    ]


def judged(tmp_path: Path, sides: list[str], *more: str) -> dict[str, Any]:
    assert run(["gain", *sides, *more, "--json", "--out", str(tmp_path / "run")]) == 0
    return finding_in(tmp_path / "run")


def said(finding: dict[str, Any]) -> str:
    return " ".join(finding["caveats"])


def test_what_was_told_nothing_as_stated_counts_and_says_what_is_missing(
    tmp_path: Path, sides: list[str]
) -> None:
    steer = log(tmp_path / "steer.jsonl", rows(0.88, 3))
    found = judged(tmp_path, sides, "--way", f"steer={steer}", "--bits", "steer=0")
    assert found["verdict"] == "elicited"
    assert "told no right answer (as stated)" in found["sentence"]
    assert found["probability"] is None  # a method that was in no calibration
    assert "Without a null control: steer" in said(found)
    assert found["estimates"]["null_share/steer"]["method"].endswith("(--null steer=LOG)")
    assert run(["analyse", str(tmp_path / "run"), "--json"]) == 0
    assert finding_in(tmp_path / "run")["sentence"] == found["sentence"]


def test_a_null_control_that_brings_as_much_back_is_shown_beside_it(tmp_path: Path, sides: list[str]) -> None:
    steer, random_vector = (
        log(tmp_path / f"{name}.jsonl", rows(share, seed))
        for name, share, seed in (("a", 0.88, 3), ("b", 0.3, 4))
    )
    found = judged(tmp_path, sides, "--way", f"s={steer}", "--null", f"s={random_vector}", "--bits", "s=0")
    assert 0.2 < found["estimates"]["null_share/s"]["value"] < 0.4
    assert "null control of s" in found["controls"]
    assert "Without a null control" not in said(found)


@pytest.mark.parametrize("bits", [[], ["--bits", "steer=64"]])
def test_unknown_bits_and_bits_of_answers_raise_no_bound(
    tmp_path: Path, sides: list[str], bits: list[str]
) -> None:
    steer = log(tmp_path / "steer.jsonl", rows(0.88, 3))
    null = log(tmp_path / "null.jsonl", rows(0.85, 4))
    found = judged(tmp_path, sides, "--way", f"steer={steer}", "--null", f"steer={null}", *bits)
    assert found["verdict"] == "cannot tell"
    assert found["estimates"]["recovered_share/steer"]["value"] > 0.9
    assert not found["estimates"]["elicited_share"]["value"] > 0.5  # nor does the control of it
    if bits:
        assert "may have been taught" in said(found)
    else:
        assert "--bits steer=0" in said(found)
        assert any("steer was told" in one["what"] for one in found["tables"]["obstacles"])


def test_a_control_that_told_nothing_counts_where_its_method_does_not(
    tmp_path: Path, sides: list[str]
) -> None:
    shots, shuffled = (log(tmp_path / f"{seed}.jsonl", rows(0.88, seed)) for seed in (3, 4))
    ways = ("--way", f"shots={shots}", "--null", f"shots={shuffled}", "--bits", "shots=200", "shots~null=0")
    found = judged(tmp_path, sides, *ways)
    assert found["verdict"] == "elicited"
    assert "shots~null" in found["sentence"]


def test_half_of_the_items_give_no_figure_and_nearly_all_are_said(tmp_path: Path, sides: list[str]) -> None:
    half = log(tmp_path / "half.jsonl", rows(0.88, 3, range(N // 2)))
    most = log(tmp_path / "most.jsonl", rows(0.88, 3, range(N - 2)))
    ways = ("--way", f"half={half}", f"most={most}", "--bits", "half=0", "most=0")
    found = judged(tmp_path, sides, *ways)
    assert "recovered_share/half" not in found["estimates"]
    assert "20 of 40 items have no answer" in found["controls"]["half"]
    assert found["estimates"]["recovered_share/most"]["n"] == N - 2
    assert "way most answers 38 of the base's 40 items" in said(found)


def test_another_target_or_another_tools_metric_raises_no_bound(tmp_path: Path, sides: list[str]) -> None:
    made = rows(0.88, 3)
    for one in made:
        one["target"] = "7"
    found = judged(tmp_path, sides, "--way", f"s={log(tmp_path / 's.jsonl', made)}", "--bits", "s=0")
    assert found["verdict"] == "cannot tell"
    assert "40 of 40 items have another target" in said(found)


def lm_eval(path: Path, right: float, seed: int, metric: str) -> str:
    made = [
        {
            "doc_id": at, "doc": {"question": one["question"]}, "target": one["target"],
            "arguments": [[one["question"], {}]], "resps": [[one["completion"]]],
            "filtered_resps": [one["completion"]], metric: one["correct"],
        }
        for at, one in enumerate(rows(right, seed)[::4])
    ]  # fmt: skip
    return log(path, made)


def test_another_metric_of_the_same_tool_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, tuned = (
        lm_eval(tmp_path / f"{at}.jsonl", share, at, "exact_match") for at, share in enumerate((0.05, 0.9))
    )
    way = lm_eval(tmp_path / "way.jsonl", 0.9, 3, "f1")
    command = [
        "gain",
        "--logs",
        base,
        tuned,
        "--way",
        f"s={way}",
        "--bits",
        "s=0",
        "--out",
        str(tmp_path / "r"),
    ]
    assert run(command) == 2
    told = capsys.readouterr().err
    assert "way s:" in told
    assert "f1" in told
    assert not (tmp_path / "r").exists()


def test_signed_scores_are_read_as_the_sides_are(tmp_path: Path) -> None:
    def signed(path: Path, made: list[dict[str, Any]]) -> str:
        return log(path, [{**one, "correct": 2 * one["correct"] - 1} for one in made])

    base, tuned, steer = (
        signed(tmp_path / f"{seed}.jsonl", rows(share, seed))
        for seed, share in enumerate((0.05, 0.9, 0.5), 1)
    )
    found = judged(tmp_path, ["--logs", base, tuned], "--way", f"s={steer}", "--bits", "s=0")
    assert 0.4 < found["estimates"]["score/s"]["value"] < 0.6


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--way", "steer"], "give NAME=LOG"),
        (["--way", "plain={a}"], "not `plain`"),
        (["--way", "a~null={a}"], "a name is"),
        (["--way", "s={a}", "s={a}"], "given twice"),
        (["--null", "s={a}"], "no --way of that name"),
        (["--way", "steer={a}", "--bits", "stear=0"], "did you mean 'steer'"),
        (["--way", "s={a}", "--bits", "s=-1"], "a number from 0"),
        (["--way", "s={a}", "--bits", "s=nan"], "a number from 0"),
        (["--way", "s={a}", "--bits", "s=many"], "a number from 0"),
        (["--way", "s={a}", "--null", "s={a}"], "the way's own log"),
        (["--way", "s=nowhere.jsonl"], "way s: nowhere.jsonl: no such file"),
        (["--way", "s={tuned}", "--bits", "s=0"], "holds what the log of TUNED holds"),
        (["--way", "s={base}"], "holds what the log of BASE holds"),
        (["--way", "s={other}", "--bits", "s=0"], "way s: "),
        (["--way", "s={named}", "--bits", "s=0"], "the model of TUNED"),
    ],
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    files = {
        "base": rows(0.05, 1, model="m/base"),
        "tuned": rows(0.9, 2, model="m/tuned"),
        "a": rows(0.8, 3, model="m/base"),
        "other": rows(0.8, 3, range(1000, 1000 + N), model="m/base"),
        "named": rows(0.8, 3, model="m/tuned"),
    }
    paths = {name: log(tmp_path / f"{name}.jsonl", made) for name, made in files.items()}
    given = [option.format(**paths) for option in options]
    capsys.readouterr()
    command = ["gain", "--logs", paths["base"], paths["tuned"], *given, "--out", str(tmp_path / "run")]
    assert run(command) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_way_goes_with_logs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gain", "a", "b", "--task", "t.jsonl", "--way", "s=x.jsonl"]) == 2
    assert "goes with --logs" in capsys.readouterr().err


def test_the_log_of_tuned_under_another_name_raises_no_bound(tmp_path: Path) -> None:
    """Two hundred characters are not written the same, word for word, by another model."""

    def reasoned(side: str, right: float, seed: int) -> list[dict[str, Any]]:
        made = rows(right, seed, model=side)
        said = "first this, then that " * 12
        return [
            {**one, "completion": f"{said}{side}{at}: {one['completion']}"} for at, one in enumerate(made)
        ]

    sides = {"small": reasoned("small", 0.05, 1), "large": reasoned("large", 0.9, 2)}
    base, tuned = (log(tmp_path / f"{name}.jsonl", made) for name, made in sides.items())
    disguised = [{**one, "model": "small", "more": 1} for one in reversed(sides["large"])]
    way = log(tmp_path / "way.jsonl", disguised)
    finding = judged(tmp_path, ["--logs", base, tuned], "--way", f"steer={way}", "--bits", "steer=0")
    assert finding["verdict"] == "cannot tell"
    assert finding["estimates"]["recovered_share/steer"]["value"] > 0.9
    assert "word for word, those of TUNED" in said(finding)
