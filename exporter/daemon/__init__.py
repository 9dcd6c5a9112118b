"""The exporter as a daemon: put together, started, reloaded, drained, stopped."""
