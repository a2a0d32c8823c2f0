"""What a corpus is here: its schema, how it is loaded and checked, split, and made into batches."""

from .augmentation import AudioAugmentation
from .collation import EmotionCollator
from .loading import load_corpus, load_unlabelled
from .problems import CorpusError, Problem, write_rejected
from .schema import SPLITS, corpus_features
from .source import describe_source
from .splits import SplitReport, hold_out, split_corpus


__all__ = [
    "SPLITS",
    "AudioAugmentation",
    "CorpusError",
    "EmotionCollator",
    "Problem",
    "SplitReport",
    "corpus_features",
    "describe_source",
    "hold_out",
    "load_corpus",
    "load_unlabelled",
    "split_corpus",
    "write_rejected",
]
