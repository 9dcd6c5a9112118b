"""Tests of real calls and webhooks."""
