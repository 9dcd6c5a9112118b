"""Grafana dashboards in Python; `python -m dashboards` writes them to dashboards/generated."""
