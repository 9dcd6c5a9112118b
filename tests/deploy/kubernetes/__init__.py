"""The Helm chart, as it is rendered."""
