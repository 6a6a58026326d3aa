"""Models of tellapart for Inspect, registered by the entry point `inspect_ai`:

    inspect eval task.py --model tellapart/path/to/model
    inspect eval task.py --model tellapart/runs/gain-... -M condition=base/prefill

Nothing heavy is imported before a model is opened: Inspect loads entry points whatever it is asked.
"""

from inspect_ai.model import ModelAPI, modelapi


@modelapi(name="tellapart")
def tellapart() -> type[ModelAPI]:
    """Return the class behind `--model tellapart/REFERENCE`."""
    from tellapart.serving.inspect_model import InspectModel

    return InspectModel
