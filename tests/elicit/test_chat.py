"""Prompt elicitors on chat models: demonstrations are turns, an instruction ends the last message, an opener begins
the answer."""

import json

import pytest
from llamas import llama, tokenizer

from tellapart.elicit import ELICITORS, applicable, load, save
from tellapart.elicit.elicitor import Elicited
from tellapart.elicit.few_shot import description_bits
from tellapart.elicit.prefill import openers_for
from tellapart.errors import UserMistake
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling, Turns
from tellapart.runs.asking import Ask, Pair, generate
from tellapart.runs.collect import text_hash
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SHOWN = (("1+1=", " 2"), ("1+2=", " 3"), ("2+2=", " 4"))
STEPS = tuple((prompt, f" it is so.{answer}") for prompt, answer in SHOWN)
ITEMS = (Item("a", {"prompt": "3+4="}, ("7",)), Item("b", {"prompt": "4+4="}, ("8",)))
TASK = Task(
    "sums",
    ITEMS,
    "{prompt}",
    make_scorer("exact"),
    demonstrations=SHOWN,
    step_demonstrations=STEPS,
    max_tokens=3,
)
ASK = Ask(TASK, ITEMS, 1, 0, Sampling(temperature=0.0, max_tokens=3))
PROMPTED = ("few_shot", "few_shot_steps", "step_by_step", "prefill")


def chatting(chat: bool = True) -> LocalModel:
    table = tokenizer()
    table.chat_template = TEMPLATE
    return LocalModel(llama(0).module, table, "chat", chat=chat)


def read_by(model: LocalModel, value: Elicited) -> list[str]:
    """Return the texts that the model reads before each answer, special tokens kept."""
    requests = [request for _, _, request in value.requests(Pair(model), ASK)]
    ids = model.vocabulary.encode_prompts([(request.prompt, request.prefill) for request in requests])
    return [model.tokenizer.decode(ids[request.prompt, request.prefill]) for request in requests]


@pytest.mark.parametrize("name", PROMPTED)
@pytest.mark.parametrize("chat", [True, False])
def test_every_prompt_elicitor_runs_with_its_null_control(name: str, chat: bool) -> None:
    pair = Pair(chatting(chat))
    elicitor = ELICITORS[name]
    assert applicable(elicitor, pair, TASK) is None
    value = elicitor.fit(pair, ASK)
    for one in (value, elicitor.null(value, 3)):
        again = load(json.loads(json.dumps(save(one))))
        assert [each.completion.finish for each in again.answers(pair, ASK)] != ["failed", "failed"]
        assert read_by(pair.base, again) == read_by(pair.base, one)


def test_demonstrations_are_turns() -> None:
    model = chatting()
    value = ELICITORS["few_shot"].fit(Pair(model), ASK)
    assert read_by(model, value)[0] == (
        "<user>1+1=</><assistant>2</><user>1+2=</><assistant>3</><user>2+2=</><assistant>4</>"
        "<user>3+4=</><assistant>"
    )
    twin = ELICITORS["few_shot"].null(value, 0)
    shown = read_by(model, twin)[0]
    assert shown.endswith("<user>3+4=</><assistant>")
    assert shown.count("<user>") == 4
    assert "1+1=</><assistant>2<" not in shown
    assert value.setting["stop"] == []


def test_without_chat_nothing_has_changed() -> None:
    model = chatting(chat=False)
    value = ELICITORS["few_shot"].fit(Pair(model), ASK)
    assert "turns" not in value.setting
    assert read_by(model, value)[0] == "<bos>1+1= 2\n\n1+2= 3\n\n2+2= 4\n\n3+4="


def test_an_instruction_ends_the_last_message_and_an_opener_begins_the_answer() -> None:
    model = chatting()
    steps = ELICITORS["step_by_step"].fit(Pair(model), ASK)
    assert read_by(model, steps)[0] == f"<user>3+4={steps.setting['after']}</><assistant>"
    opened = ELICITORS["prefill"].value("prefill", {"prefills": ["Sure,"], "openers": ["Sure,"]})
    assert read_by(model, opened)[0] == "<user>3+4=</><assistant>Sure,"
    assert all(answer.completion.text.startswith("Sure,") for answer in opened.answers(Pair(model), ASK))
    assert {"Sure,", "First,"} <= set(openers_for(model, TASK, ITEMS))
    assert {" Sure,", " First,"} <= set(openers_for(chatting(chat=False), TASK, ITEMS))


def test_the_hash_of_a_prompt_covers_every_turn_and_the_opener() -> None:
    model = chatting()
    requests = [
        Request("3+4=", sampling=ASK.sampling),
        Request(Turns((("1+1=", "2"),), "3+4="), sampling=ASK.sampling),
        Request(Turns((("1+1=", "3"),), "3+4="), sampling=ASK.sampling),
        Request("3+4=", sampling=ASK.sampling, prefill="Sure,"),
    ]
    answers = generate(model, [(0, at, request) for at, request in enumerate(requests)])
    assert len({text_hash(answer.prompt) for answer in answers}) == 4


def test_demonstrated_answers_are_told_turn_by_turn() -> None:
    model = chatting()
    bits, method = description_bits(model, SHOWN)
    scored = model.score([(Turns((("1+1=", "2"), ("1+2=", "3")), "2+2="), "4")])
    alone = model.score([("1+1=", "2"), (Turns((("1+1=", "2"),), "1+2="), "3")])
    nats = -sum(logprob for one in (*scored, *alone) for logprob in one.logprobs)
    assert method == "the base's own log-probabilities"
    assert bits == pytest.approx(nats / 0.6931471805599453)


def test_turns_without_chat_are_refused() -> None:
    with pytest.raises(UserMistake, match="without chat"):
        list(chatting(chat=False).generate([Request(Turns((("a", "b"),), "c"))]))
