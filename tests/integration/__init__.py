"""Tests against real servers, started by fixtures on free ports of 127.0.0.1."""
