"""One script for each claim; run by hand, never in the test run."""
