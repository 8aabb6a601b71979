"""`python -m benchmarks.reference MODEL THREADS BEAM`: openai-whisper, in the Python that has torch (testbed.torchenv).

Reads recordings from standard input, each a line of JSON and then its samples, and answers each with a line of JSON.
The weights are those of a model in CTranslate2's form, laid out anew; so both engines have the very same.
"""

import json
import sys
from pathlib import Path


def main(folder: str, threads: int, beam: int) -> None:
    """Transcribe until standard input ends. The words of what goes wrong go to standard error."""
    import numpy as np
    import torch
    import whisper

    from whisper_transcriber.domain.model import ModelFiles, ModelSpec, Source
    from whisper_transcriber.engine.torch_model import loaded

    torch.set_num_threads(threads)
    spec = ModelSpec(name="reference", source=Source(path=folder))
    model = loaded(ModelFiles(Path(folder), "not asked for"), spec, "cpu", "float32")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := sys.stdin.buffer.readline():
        asked = json.loads(line)
        samples = np.frombuffer(sys.stdin.buffer.read(asked["bytes"]), np.float32).copy()
        torch.manual_seed(0)  # what is decoded at a temperature is the same in every run
        options = {"language": asked["language"], "beam_size": beam, "condition_on_previous_text": False, "fp16": False}
        text = whisper.transcribe(model, samples, **options)["text"]
        sys.stdout.write(json.dumps({"text": text}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
