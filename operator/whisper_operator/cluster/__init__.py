"""The one door to Kubernetes: `port` says what we need, `live` does it, `memory` pretends for unit tests."""
