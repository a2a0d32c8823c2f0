"""From a recipe to a model and its processor."""

from __future__ import annotations

from transformers import AutoFeatureExtractor, AutoTokenizer

from ..configuration_emospeech import SEQUENCE_FUSION_NAMES
from ..data import AudioAugmentation
from ..feature_extraction_emospeech import EmoSpeechFeatureExtractor
from ..modeling_emospeech import EmoSpeechForEmotionClassification
from ..processing_emospeech import EmoSpeechProcessor
from .adapters import choose_trained_weights
from .recipe import ModelRecipe, RecipeError, TrainingRecipe


def build_processor(recipe: ModelRecipe) -> EmoSpeechProcessor:
    """
    Args:
        recipe ([`ModelRecipe`]): names the encoders.

    Returns:
        [`EmoSpeechProcessor`] with the encoders' own tokenizer and feature extractor.

    Raises:
        RecipeError: If the recipe neither hears nor reads.
        OSError: If an encoder is not found.
    """
    if not (recipe.text_encoder or recipe.speech_encoder or recipe.num_mfcc):
        raise RecipeError("This recipe neither hears nor reads: give --text_encoder, --speech_encoder or num_mfcc.")
    speech_extractor = tokenizer = None
    if recipe.speech_encoder:
        revision = recipe.speech_revision or "main"
        speech_extractor = AutoFeatureExtractor.from_pretrained(recipe.speech_encoder, revision=revision)
    if recipe.text_encoder:
        tokenizer = AutoTokenizer.from_pretrained(recipe.text_encoder, revision=recipe.text_revision or "main")
        if recipe.max_length:
            tokenizer.model_max_length = min(recipe.max_length, tokenizer.model_max_length)
    feature_extractor = EmoSpeechFeatureExtractor(
        num_mfcc=recipe.num_mfcc,
        num_mel_bins=recipe.num_mel_bins,
        mfcc_pooling="none" if recipe.fusion in SEQUENCE_FUSION_NAMES else "mean",
        speech_extractor=speech_extractor,
    )
    return EmoSpeechProcessor(feature_extractor, tokenizer)


def build_model(recipe: ModelRecipe) -> EmoSpeechForEmotionClassification:
    """
    Args:
        recipe ([`ModelRecipe`]): names the encoders and the head.

    Returns:
        [`EmoSpeechForEmotionClassification`] whose frozen parts ask for no gradients.

    Raises:
        OSError: If an encoder is not found, or has no safetensors.
        ValueError: If a field is out of its range.
        ImportError: If low-rank training is asked for and peft is not installed.
    """
    model = EmoSpeechForEmotionClassification.from_encoder_pretrained(
        text_encoder=recipe.text_encoder,
        speech_encoder=recipe.speech_encoder,
        text_revision=recipe.text_revision,
        speech_revision=recipe.speech_revision,
        num_mfcc=recipe.num_mfcc,
        fusion=recipe.fusion,
        fusion_dim=recipe.fusion_dim,
        fusion_heads=recipe.fusion_heads,
        classifier_dim=recipe.classifier_dim,
        classifier_dropout=recipe.classifier_dropout,
        text_pooling=recipe.text_pooling,
        speech_pooling=recipe.speech_pooling,
        text_layers=recipe.text_layers,
        speech_layers=recipe.speech_layers,
        layer_combination=recipe.layer_combination,
        standardize=recipe.standardize,
        missing_modalities=recipe.missing_modalities,
    )
    choose_trained_weights(model, recipe)
    return model


def build_augmentation(recipe: TrainingRecipe) -> AudioAugmentation | None:
    """
    Args:
        recipe ([`TrainingRecipe`]): says what is done to training recordings.

    Returns:
        [`~data.AudioAugmentation`], or `None` where nothing is.
    """
    augmentation = AudioAugmentation(
        speed_factors=tuple(recipe.speed_factors),
        noise_snr=recipe.noise_snr,
        reverberation=recipe.reverberation,
        crop_seconds=recipe.crop_seconds,
        time_masking=recipe.time_masking,
        frequency_masking=recipe.frequency_masking,
    )
    return None if augmentation == AudioAugmentation() else augmentation


def may_leave_weights_out(recipe: ModelRecipe) -> bool:
    """
    Args:
        recipe ([`ModelRecipe`]): says what is trained.

    Returns:
        `bool`: whether a step of training may leave some weights without gradients: speech encoders drop whole layers
        at random, and what lies above the chosen layers of a text encoder is not used.
    """
    trains_speech = bool(recipe.speech_encoder) and not recipe.freeze_speech_encoder
    trains_text = bool(recipe.text_encoder) and not recipe.freeze_text_encoder
    return trains_speech or (trains_text and recipe.text_layers is not None)


def limit_text_length(processor: EmoSpeechProcessor, model: EmoSpeechForEmotionClassification) -> None:
    """
    Make the tokenizer cut transcripts at what the encoder's position table holds, where it states no limit itself.

    Args:
        processor ([`EmoSpeechProcessor`]): its tokenizer is changed.
        model ([`EmoSpeechForEmotionClassification`]): its text config tells the limit.
    """
    config = model.config.text_config
    positions = getattr(config, "max_position_embeddings", None)
    if processor.tokenizer is None or not positions or positions < 1:
        return
    if "roberta" in config.model_type or config.model_type == "camembert":
        positions -= config.pad_token_id + 1  # their positions are counted from behind the padding's
    processor.tokenizer.model_max_length = min(processor.tokenizer.model_max_length, positions)
