"""Paraphrases of a model's own steps by another model, each kept and asked once."""

from collections.abc import Mapping

from tellapart.controls.control import Given
from tellapart.controls.own_chain import chains
from tellapart.models.model import Model, Request, Sampling
from tellapart.models.picking import answers_of
from tellapart.runs.collect import text_hash
from tellapart.runs.folder import RunFolder
from tellapart.runs.kept import keeping
from tellapart.runs.progress import ticking

ARTIFACT = "paraphrases"
PROMPT = (
    "Rewrite the following in other words. Keep its meaning, its order and every number.\n\n"
    "Text: {text}\n\nRewritten:"
)


def paraphrases(folder: RunFolder, model: Model, given: Given, quiet: bool) -> Mapping[str, str]:
    """Return the paraphrase of each item's own steps by item; one that failed or was truncated is left out."""
    own = chains(given)
    prompts = [PROMPT.format(text=chain.worked.parts.text) for chain in own]
    sampling = Sampling(temperature=0.0, max_tokens=given.task.max_tokens, stop=("\n\n",))
    with keeping(folder, ARTIFACT) as kept:
        pending = list(dict.fromkeys(prompt for prompt in prompts if text_hash(prompt) not in kept.values))
        requests = [Request(prompt, sampling=sampling) for prompt in pending]
        with ticking("paraphrases", len(pending), quiet) as ticker:
            for index, completion in answers_of(model, requests):
                if completion.finish != "failed":
                    kept.add(
                        text_hash(pending[index]), completion.text if completion.finish == "stop" else ""
                    )
                ticker.tick()
        texts = {
            chain.item.id: kept.values.get(text_hash(prompt), "")
            for chain, prompt in zip(own, prompts, strict=True)
        }
    return {item: text for item, text in texts.items() if text}
