"""Real weights and real human speech for tests and the demo, fetched once into the cache outside the checkout.

`assets.weights` brings Whisper models in CTranslate2's form, `assets.speech` brings prompts spoken by people with the
text of each, `assets.sounds` music, beeps and a synthetic voice. `python -m assets` fetches everything ahead of time.
"""
