"""The resources as frozen values, and the strings that the parts must agree on."""
