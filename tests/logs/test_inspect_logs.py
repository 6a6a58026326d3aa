"""Every real Inspect log: what is read, or the one line that says why not."""

from pathlib import Path

import pytest

from tellapart.errors import UserMistake
from tellapart.logs import read_log

NOT_A_LOG = "is no known log"
OUTCOMES: dict[str, list[float | None] | str] = {  # the scores, None where missing, or the reason
    "analysis/test_logs/2025-05-12T20-28-13-04-00_no-samples.json": "cancelled before a sample finished",
    "analysis/test_logs/2025-05-12T20-28-13-04-00_popularity.json": [1, 1, 0],
    "analysis/test_logs/2025-05-12T20-28-26-04-00_security-guide.json": [1, 1, 1],
    "analysis/test_logs_choices/mmlu-no-summary-choices.eval": [0],
    "analysis/test_logs_choices/mmlu-summary-choices.eval": [0],
    "log/test_eval_log/log_formats.eval": [0],
    "log/test_eval_log/log_formats.json": [0],
    "log/test_eval_log/log_images.json": [0],
    "log/test_eval_log/log_images_tc.json": [0],
    "log/test_eval_log/log_message_deduplication.eval": [0],
    "log/test_eval_log/log_read_sample.eval": [1],
    "log/test_eval_log/log_read_sample.json": [1],
    "log/test_eval_log/log_streaming.eval": [1, 1, 0, 1],
    "log/test_eval_log/log_tool_call_error.json": [None],
    "log/test_list_logs/2024-11-05T13-31-45-05-00_input-task_8zXjbRzCWrL9GXiXo2vus9.json": [1],
    "log/test_list_logs/2024-11-05T13-32-37-05-00_input-task_hxs4q9azL3ySGkjJirypKZ.eval": [1],
    "log/test_list_logs/custom.eval": [1],
    "log/test_list_logs/ignore.json": [1],
    "log/test_skeleton/basic.json": NOT_A_LOG,
    "log/test_skeleton/empty.json": NOT_A_LOG,
    "log/test_skeleton/escape_hatch.json": NOT_A_LOG,
    "log/test_skeleton/gap_models.json": NOT_A_LOG,
    "log/test_skeleton/leaf_tool_exclusion.json": NOT_A_LOG,
    "log/test_skeleton/legacy_steps.json": NOT_A_LOG,
    "log/test_skeleton/notable_caps.json": NOT_A_LOG,
    "log/test_skeleton/notable_caps_uncapped.json": NOT_A_LOG,
    "log/test_skeleton/parallel_spans.json": NOT_A_LOG,
    "log/test_skeleton/steps_same_name.json": NOT_A_LOG,
}


def test_the_table_is_complete(shared: Path) -> None:
    folder = shared / "data/inspect_logs"
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix in (".json", ".eval")}
    assert there == set(OUTCOMES)


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(shared: Path, name: str) -> None:
    path, expected = shared / "data/inspect_logs" / name, OUTCOMES[name]
    if isinstance(expected, str):
        with pytest.raises(UserMistake) as mistake:
            read_log(str(path))
        assert expected in str(mistake.value)
        assert "\n" not in str(mistake.value)
        return
    log = read_log(str(path))
    assert [None if s != s else s for s in log.frame["score"].tolist()] == expected
    assert (log.frame["question"] != "").all()
    assert not log.frame["question"].str.contains("attachment://").any()
    assert (log.frame["completion"] != "").all() or expected == [None]


def test_json_and_eval_of_one_run_agree(shared: Path) -> None:
    folder = shared / "data/inspect_logs/log/test_eval_log"
    frames = [read_log(str(folder / f"log_read_sample.{kind}")).frame for kind in ("json", "eval")]
    assert frames[0].equals(frames[1])


def test_notes_and_fields(shared: Path) -> None:
    folder = shared / "data/inspect_logs"
    cancelled = read_log(str(folder / "analysis/test_logs/2025-05-12T20-28-13-04-00_popularity.json"))
    assert cancelled.notes == ("the run's status is 'cancelled': samples may be missing",)
    unscored = read_log(str(folder / "log/test_eval_log/log_tool_call_error.json"))
    assert "1 of 1 answers have no score (kept, score missing)" in unscored.notes
    streamed = read_log(str(folder / "log/test_eval_log/log_streaming.eval")).frame
    assert streamed[["item", "sample"]].values.tolist() == [["2", 1], ["2", 0], ["1", 0], ["1", 1]]
    assert streamed["tokens"].tolist() == [1, 2, 1, 2]
