"""Emotion recognition from Spanish speech and its transcript, for Hugging Face.

Importing this package makes its model, processor and pipeline known to transformers: `AutoModel`, `AutoProcessor`,
`pipeline("audio-text-emotion")` and the others then load a release without `trust_remote_code=True`.
"""

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForAudioClassification,
    AutoModelForSequenceClassification,
    AutoProcessor,
)
from transformers.pipelines import PIPELINE_REGISTRY

from .audio_emospeech import AudioError
from .backbone_emospeech import EmoSpeechModel
from .configuration_emospeech import EMOTIONS, MFCC_SAMPLING_RATE, MODALITIES, TASK, EmoSpeechConfig
from .feature_extraction_emospeech import EmoSpeechFeatureExtractor
from .modeling_emospeech import EmoSpeechForEmotionClassification
from .pipeline_emospeech import AudioTextEmotionPipeline
from .processing_emospeech import EmoSpeechProcessor


__version__ = "0.1.0"

AutoConfig.register(EmoSpeechConfig.model_type, EmoSpeechConfig)
AutoModel.register(EmoSpeechConfig, EmoSpeechModel)
AutoModelForAudioClassification.register(EmoSpeechConfig, EmoSpeechForEmotionClassification)
AutoModelForSequenceClassification.register(EmoSpeechConfig, EmoSpeechForEmotionClassification)
AutoFeatureExtractor.register(EmoSpeechConfig, EmoSpeechFeatureExtractor)
AutoProcessor.register(EmoSpeechConfig, EmoSpeechProcessor)
PIPELINE_REGISTRY.register_pipeline(
    TASK, pipeline_class=AudioTextEmotionPipeline, pt_model=AutoModelForAudioClassification, type="multimodal"
)

__all__ = [
    "EMOTIONS",
    "MFCC_SAMPLING_RATE",
    "MODALITIES",
    "TASK",
    "AudioError",
    "AudioTextEmotionPipeline",
    "EmoSpeechConfig",
    "EmoSpeechFeatureExtractor",
    "EmoSpeechForEmotionClassification",
    "EmoSpeechModel",
    "EmoSpeechProcessor",
]
