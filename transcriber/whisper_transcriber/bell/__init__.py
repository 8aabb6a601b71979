"""A doorbell between processes: it says "look again", and nothing that matters if it is lost."""
