"""Texts that a command's help shows and a first pass uses."""

DISPATCH_TEMPLATE = "Which skill does this need: {labels}?\n\n{prompt}\n\nSkill: "
