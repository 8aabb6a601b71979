"""What clients may ask, and the errors that they get: the API without HTTP. Workers read it in batches' files too."""
