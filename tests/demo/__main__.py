"""`python -m demo --name NAME`: exit status 0 with a transcript, 1 with a reason, 130 when interrupted."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import steps
from demo import path
from demo.diagnosis import ask, explain
from demo.stopwatch import Stopwatch, indented, say
from testbed import Cluster


def main() -> int:
    """Run the demo; on failure say why."""
    parser = argparse.ArgumentParser(prog="demo", description="From nothing to a transcript on a real cluster.")
    parser.add_argument("--name", default="whisper-operator", help="the cluster's name")
    name = parser.parse_args().name
    cluster: Cluster | None = None
    watch = Stopwatch()
    try:
        cluster = path.prepare(name, watch)
        transcriber = path.serve(cluster, watch)
        transcript = path.transcribe(cluster, transcriber, watch)
    except KeyboardInterrupt:
        say("\nInterrupted. `make demo` goes on where it is; `make cluster-down` removes the cluster.")
        return 130
    except Exception as problem:  # whatever it is, say why and show what a person would look at
        if cluster:
            explain(cluster, steps.SYSTEM, path.NAMESPACE)
        say(f"\nThe demo failed: {problem or type(problem).__name__}")
        return 1
    show(cluster, transcript, watch)
    say(go_on(cluster, name, transcriber, transcript.clip.path))
    return 0


def show(cluster: Cluster, transcript: path.Transcript, watch: Stopwatch) -> None:
    """Print the resources, what was said and heard, and the times."""
    status = transcript.job["status"]
    say("\n$ kubectl get whispertranscribers,transcriptionjobs --namespace demo")
    say(indented(ask(cluster, "get", "whispertranscribers,transcriptionjobs", "--namespace", path.NAMESPACE)))
    say(f"\nSaid (the speech package's own text):\n{indented(transcript.clip.text)}")
    say(
        f"\nHeard (model {status['model']}, {status['engine']}, {status['modelDigest']}):\n{indented(transcript.heard)}"
    )
    say(f"\nWord error rate: {transcript.error_rate:.1%}")
    say(f"\nSubtitles (srt):\n{indented(transcript.srt)}")
    say(f"\nTimes:\n{watch.table()}")


_PYTHON = (
    "python3 -c 'import openai; print(openai.OpenAI().audio.transcriptions.create("
    'model="whisper-1", file=open("{speech}", "rb")).text)\'    # after: pip install openai'
)


def go_on(cluster: Cluster, name: str, transcriber: str, speech: Path) -> str:
    """What to try next, ready to paste."""
    kubectl = shutil.which("kubectl", path=cluster.env()["PATH"]) or "kubectl"
    return f"""
How to go on:
  export KUBECONFIG={cluster.kubeconfig}
  alias kubectl={kubectl}
  kubectl get all,whisper -n demo

  # The API speaks OpenAI's protocol:
  kubectl port-forward -n demo service/{transcriber}-api 8000:80 &
  export OPENAI_BASE_URL=http://127.0.0.1:8000/v1
  export OPENAI_API_KEY=$(kubectl get secret {transcriber}-api-key -n demo -o jsonpath='{{.data.api-key}}' | base64 -d)
  curl -H "Authorization: Bearer $OPENAI_API_KEY" -F model=whisper-1 -F file=@{speech} \\
    $OPENAI_BASE_URL/audio/transcriptions
  {_PYTHON.format(speech=speech)}

  # When you have seen enough:
  make cluster-down NAME={name}
"""


if __name__ == "__main__":
    sys.exit(main())
