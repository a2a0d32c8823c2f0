#!/usr/bin/env python3
"""Train an EmoSpeech model by a recipe, on one device or many."""

from emospeech_hf.training.command import main


if __name__ == "__main__":
    main()
