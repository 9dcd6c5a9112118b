"""The exporter's HTTP face: /metrics, health, readiness and a status page. It only reads."""
