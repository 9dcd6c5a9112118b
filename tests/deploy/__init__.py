"""The image, the compose file, and the configuration that both are started with."""
