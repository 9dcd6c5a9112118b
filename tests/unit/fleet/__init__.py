"""Leases of exporters that share their targets."""
