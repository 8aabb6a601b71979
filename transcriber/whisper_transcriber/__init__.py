"""Speech-to-text service: what runs in the pods of a WhisperTranscriber.

Layers, top to bottom (held by import-linter): ``__main__`` > ``wiring`` > ``app | worker | cli`` > ``api | batching`` >
``deps`` > ports and adapters (``engine``, ``audio``, ``models``, ``render``, ``store``, …) > ``domain``.
"""
