"""What studies find and reports show: a Finding, and the words that both use."""
