"""The 28 faults that the collection of attacks found (numbered as there, worst first), and the tests that hold them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent
FAULTS = """
1 missing weights run as random numbers
  models/test_incomplete.py
    test_one_weight_that_is_not_in_the_file
    test_an_untied_head_that_is_not_in_the_file
    test_weights_that_are_not_in_the_model
    test_the_command_ends_with_2_and_one_line
2 the fingerprint misses what changes answers
  models/test_identity.py
    test_what_changes_answers_changes_it
    test_where_the_weights_lie_is_no_part_of_it
    test_a_run_is_not_gone_on_with_by_another_model_or_version
  tasks/test_code.py
    test_what_the_scorer_imports_is_part_of_the_task
3 resumed under other versions, not noted
  models/test_identity.py
    test_what_runs_it_is_in_the_key_of_a_row
  runs/test_hostile_folder.py
    test_rows_made_under_other_versions_are_noted_once
4 a run folder destroys files outside
  runs/test_hostile_folder.py
    test_a_link_in_the_place_of_a_file_is_refused
    test_a_lock_that_is_a_link_is_refused_in_an_otherwise_empty_folder
    test_a_shard_that_is_a_link_is_neither_cut_nor_written_to
    test_a_folder_that_is_a_link_is_refused
5 a short write is not noticed
  runs/test_hostile_folder.py
    test_a_short_write_is_gone_on_with
    test_a_row_for_which_there_is_no_room_leaves_nothing_behind
6 specs are compared before the lock is had
  runs/test_hostile_folder.py
    test_specs_are_compared_under_the_lock
7 served answers that are not the model's
  models/test_endpoint_faithful.py
    test_tokens_that_do_not_spell_the_text_are_not_its
  models/test_endpoint_hostile.py
    test_every_request_is_answered_once_and_failures_say_why
    test_of_several_choices_the_one_of_index_0_is_taken
8 other content of the same logs
  studies/test_gain_logs.py
    test_logs_of_other_content_are_another_run
9 rows that this run cannot have written
  runs/test_hostile_folder.py
    test_a_row_that_this_run_cannot_have_written_is_named
    test_a_spec_that_is_none_is_refused
10 a task's Python runs without a word
  tasks/test_code.py
    test_code_is_said_once_before_it_runs
    test_code_from_elsewhere_needs_permission
11 escapes and markup reach the terminal
  test_messages.py
    test_the_command_line_shows_no_escapes_of_a_log
    test_the_title_of_a_bar_is_no_markup
12 the key in another dress, or half of it
  models/test_endpoint_hostile.py
    test_a_key_in_another_dress_is_taken_out_too
    test_half_of_a_key_is_taken_out_too
    test_the_key_is_nowhere
13 view sends no policy
  report/test_report_view.py
    test_every_answer_has_a_policy_and_the_page_its_own
14 any web page makes serve work
  serving/test_serve.py
    test_pages_of_other_places_are_not_answered_and_answers_run_nothing
15 half-open connections stop serve
  serving/test_serve.py
    test_half_open_connections_do_not_use_up_all_files
    test_a_request_that_does_not_come_in_is_closed
  report/test_report_view.py
    test_half_open_connections_give_way
16 one slow answer ends a run for ever
  runs/test_hostile_folder.py
    test_an_answer_that_takes_too_long_to_score_fails_alone
  tasks/test_scorers.py
    test_a_pattern_that_explodes_is_stopped
17 a stalling server takes weeks
  models/test_endpoint_stalled.py
    test_a_stalled_server_ends_the_run_and_not_after_weeks
18 giant values, pipes and templates never end
  runs/test_hostile_folder.py
    test_a_row_that_this_run_cannot_have_written_is_named
    test_a_pipe_or_a_folder_in_the_place_of_a_file_is_not_waited_for
  models/test_incomplete.py
    test_more_layers_than_any_model_has
  models/test_bounded.py
    test_a_template_that_raises_or_never_ends_is_one_line
  logs/test_counts_and_pairs.py
    test_bad_counts_are_one_line
19 a log-probability of 400 digits ends the run
  models/test_endpoint_hostile.py
    test_numbers_that_are_no_logprobs_end_no_run
  models/test_endpoint_stalled.py
    test_what_is_no_json_of_bounded_depth_fails_its_answer_alone
20 a place for --out that cannot be used
  runs/test_hostile_folder.py
    test_a_place_that_no_folder_can_have_is_told_in_one_line
    test_what_the_system_refuses_is_told_in_one_line
    test_a_dangling_link_is_refused_and_one_to_a_folder_is_a_folder
  test_messages.py
    test_the_disk_is_full_is_one_line
21 spec.json and rows of wrong types
  runs/test_hostile_folder.py
    test_a_spec_that_is_none_is_refused
    test_a_line_that_is_no_row_is_named
  test_fire.py
    test_every_seed_and_some_neighbours_end_well_or_in_one_line
22 templates and tokenizers that raise
  models/test_bounded.py
    test_a_template_that_raises_or_never_ends_is_one_line
    test_a_tokenizer_that_panics_is_one_line
  models/test_incomplete.py
    test_a_token_id_that_would_abort_the_process
23 logs, points and findings of odd form
  test_fire.py
    test_every_seed_and_some_neighbours_end_well_or_in_one_line
    test_what_others_found
  logs/test_odd_files.py
    test_no_traceback_and_no_number
24 serve answers 500, view raises
  serving/test_serve.py
    test_malformed_requests_get_openais_errors
  report/test_report_view.py
    test_odd_requests_are_told_so_under_the_policy
25 finished skills have no rows.parquet
  studies/test_skills_run.py
    test_a_run_and_going_on_with_it
26 whole dictionaries where one field differs
  runs/test_hostile_folder.py
    test_what_differs_deep_inside_is_named_and_nothing_else
27 SIGINT of serve
  serving/test_serve.py
    test_half_open_connections_do_not_use_up_all_files
28 lines of any length
  test_messages.py
    test_a_mistake_is_one_visible_bounded_line
  test_fire.py
    test_every_seed_and_some_neighbours_end_well_or_in_one_line
"""
"""A fault, below it files of tests, below these their tests."""


class Held(NamedTuple):
    """A test that holds a fault."""

    fault: str
    file: str
    test: str


def held() -> Iterator[Held]:
    fault = file = ""
    for line in FAULTS.strip().splitlines():
        if line.startswith("    "):
            yield Held(fault, file, line.strip())
        elif line.startswith("  "):
            file = line.strip()
        else:
            fault = line


@cache
def _tests_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text())
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}


def test_each_of_the_28_has_a_test() -> None:
    assert sorted({int(one.fault.split()[0]) for one in held()}) == list(range(1, 29))


@pytest.mark.parametrize("one", list(held()), ids=lambda one: f"{one.fault}: {one.test}")
def test_the_tests_are_there(one: Held) -> None:
    assert one.test in _tests_in(one.file)
