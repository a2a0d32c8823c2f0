"""The contest's winner and the corpus authors' model, trained by their recipes with tiny encoders of the same kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import (
    BertTokenizer,
    RobertaConfig,
    RobertaModel,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    pipeline,
)

from emospeech_hf.training import RunOptions, load_recipe, train


SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20}


@pytest.fixture
def encoders(tmp_path: Path, tokenizer: BertTokenizer, text_encoder_dir: Path) -> dict[str, tuple[Path, Path]]:
    """For each recipe, a speech and a text encoder."""
    torch.manual_seed(0)
    roberta, xls_r, w2v_bert = (tmp_path / name for name in ("roberta", "xls-r", "w2v-bert"))
    RobertaModel(RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=80, **SMALL)).save_pretrained(roberta)
    tokenizer.save_pretrained(roberta)
    Wav2Vec2Model(
        Wav2Vec2Config(
            conv_dim=(8,) * 7, feat_extract_norm="layer", num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
            mask_time_length=2, **SMALL,
        )
    ).save_pretrained(xls_r)  # fmt: skip
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(xls_r)
    Wav2Vec2BertModel(Wav2Vec2BertConfig(feature_projection_input_dim=160, **SMALL)).save_pretrained(w2v_bert)
    SeamlessM4TFeatureExtractor().save_pretrained(w2v_bert)
    return {"bsc_upc": (xls_r, roberta), "umuteam_concat": (w2v_bert, text_encoder_dir)}


@pytest.mark.parametrize("name", ["bsc_upc", "umuteam_concat"])
def test_a_peer_by_its_name(
    name: str, encoders: dict[str, tuple[Path, Path]], shared_corpus_dir: Path, tmp_path: Path
) -> None:
    speech, text = encoders[name]
    settings = [
        f"speech_encoder={speech}", f"text_encoder={text}", "speech_revision=", "text_revision=", "epochs=1",
        "trackers=[]", "mixed_precision=no", "validation_fraction=0.25", "fusion_dim=8", "batch_size=12",
        "gradient_accumulation_steps=2",
    ]  # fmt: skip
    options = RunOptions(data=str(shared_corpus_dir), output_dir=tmp_path / "run")
    metrics = train(load_recipe(name, settings), options)
    assert 0 <= metrics["validation"]["macro_f1"] <= 1
    # Both encoders are trained, whole.
    assert metrics["parameters"]["trained"] == metrics["parameters"]["all"]
    classify = pipeline("audio-text-emotion", model=str(tmp_path / "run/release"), trust_remote_code=True, device=-1)
    audio = next((shared_corpus_dir / "audio").iterdir())
    assert sum(entry["score"] for entry in classify({"audio": str(audio), "text": "qué alegría"})) == pytest.approx(1)
