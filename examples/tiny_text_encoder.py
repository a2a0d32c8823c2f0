#!/usr/bin/env python3
"""A tiny, untrained BERT with a word-piece vocabulary of a corpus' own transcripts, for a demo without downloads.

It stands in for a pretrained encoder such as BETO, and is trained along with the rest of the network.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, BertTokenizer
from transformers.utils import logging


SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def main() -> None:
    """Command line."""
    logging.disable_progress_bar()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, required=True, help="corpus with a column transcription")
    parser.add_argument("--output", type=Path, required=True, help="folder for the encoder and its tokenizer")
    options = parser.parse_args()
    with options.csv.open(newline="", encoding="utf-8") as file:
        transcripts = [row["transcription"] for row in csv.DictReader(file)]
    tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIAL_TOKENS[1]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    trainer = trainers.WordPieceTrainer(vocab_size=800, special_tokens=list(SPECIAL_TOKENS), show_progress=False)
    tokenizer.train_from_iterator(transcripts, trainer)
    vocabulary = tokenizer.get_vocab()
    options.output.mkdir(parents=True, exist_ok=True)
    BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=64).save_pretrained(options.output)
    torch.manual_seed(42)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(options.output)
    print(f"{options.output}: an untrained BERT of 2 layers, 64 wide, with {len(vocabulary)} word pieces.")


if __name__ == "__main__":
    main()
