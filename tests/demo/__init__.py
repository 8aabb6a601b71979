"""`make demo`: from nothing to the transcript of human speech on a real cluster, as a person would do it."""
