"""What the representation of a model looks like."""
