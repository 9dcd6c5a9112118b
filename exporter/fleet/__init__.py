"""Exporters of one group share their work by leases: each work is run by one of them at a time."""
