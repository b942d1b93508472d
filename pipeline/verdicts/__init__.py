"""Statistics, borrowing, the status rule, explanations, comparisons."""
