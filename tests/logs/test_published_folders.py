"""Folders that are one log: BIG-Bench Mistake (steps marked right or wrong) and BBH's published outputs."""

from pathlib import Path

import pytest

from tellapart.errors import UserMistake
from tellapart.logs import pair, read_log


def test_right_answers_on_wrong_steps(shared: Path) -> None:
    frame = read_log(str(shared / "data/big_bench_mistake")).frame
    wrong = frame[(frame["score"] == 1) & (frame["steps"] == "invalid")]
    assert (len(frame), len(wrong)) == (2186, 214)
    assert wrong["cluster"].value_counts().to_dict() == {
        "dyck_languages": 147,
        "logical_deduction": 39,
        "word_sorting": 15,
        "tracking_shuffled_objects": 12,
        "multistep_arithmetic": 1,
    }


def test_one_file_of_the_folder_is_a_log_too(shared: Path) -> None:
    log = read_log(str(shared / "data/big_bench_mistake/word_sorting.jsonl"))
    assert len(log.frame) == 300


def test_direct_and_steps_pair_by_question(shared: Path) -> None:
    folder = shared / "data/bbh/code-davinci-002-outputs"
    direct, steps = (read_log(str(folder / f"code-davinci-002-{way}")) for way in ("direct", "cot"))
    paired = pair(direct, steps)
    assert (paired.by, paired.items, paired.a_unmatched, paired.b_unmatched) == (
        "question and id",
        6511,
        0,
        0,
    )
    families = direct.frame["cluster"].str.partition("/")[0]
    assert families.nunique() == 23
    assert 100 * direct.frame["score"].groupby(families).mean().mean() == pytest.approx(56.61, abs=0.005)
    assert 100 * steps.frame["score"].groupby(families).mean().mean() == pytest.approx(73.93, abs=0.005)


@pytest.mark.parametrize("mistake", ["3", '"1"', "-1"])
def test_a_mistake_beyond_the_steps_is_refused(tmp_path: Path, mistake: str) -> None:
    line = f'{{"input": "q", "steps": ["a", "b"], "answer": "x", "target": "x", "mistake_index": {mistake}}}'
    path = tmp_path / "dyck_languages.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UserMistake, match=r"line 1: mistake_index .* not a step from 0 to 1"):
        read_log(str(path))
