"""Tests without a network: no server is started."""
