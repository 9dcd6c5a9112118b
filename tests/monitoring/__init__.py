"""What is seen: dashboards and rules, held against a real Prometheus and the real exporter."""
