"""`tellapart skills`: singular-value experts, one a skill, mixed at inference."""
