"""The dashboards: what is generated, without a Grafana."""
