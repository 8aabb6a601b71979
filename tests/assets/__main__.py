"""`python -m assets [weights|speech|sounds]`: fetch now what tests and the demo would fetch on first use."""

import argparse

from assets import sounds, speech, weights


def main() -> None:
    parser = argparse.ArgumentParser(prog="assets", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("weights", "speech", "sounds", "all"), default="all")
    what = parser.parse_args().what
    if what in ("weights", "all"):
        for model in weights.ALL:
            print(weights.fetch(model))
    if what in ("sounds", "all"):
        spoken = sounds.spoken("Hello.")
        print(f"{len(sounds.music())} pieces of music, {len(sounds.beeps())} beeps, {spoken.seconds:.0f} s read aloud")
    if what in ("speech", "all"):
        for language in speech.LANGUAGES:
            clips = speech.prompts(language)
            print(f"{language}: {len(clips)} prompts, {sum(clip.seconds for clip in clips) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
