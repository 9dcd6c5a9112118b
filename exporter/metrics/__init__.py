"""From Outcomes to series: the table of metrics, their registry, and the listener between."""
