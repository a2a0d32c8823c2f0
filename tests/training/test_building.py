"""From a recipe to a model: what of it asks for gradients in every step."""

from __future__ import annotations

import pytest

from emospeech_hf.training.building import may_leave_weights_out
from emospeech_hf.training.recipe import ModelRecipe


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text_encoder": "beto"}, False),
        ({"text_encoder": "beto", "freeze_text_encoder": False}, False),
        ({"text_encoder": "beto", "freeze_text_encoder": False, "text_layers": [3, 4]}, True),
        ({"text_encoder": "beto", "text_layers": [3, 4]}, False),
        ({"speech_encoder": "whisper"}, False),
        ({"speech_encoder": "whisper", "freeze_speech_encoder": False}, True),
        ({"freeze_speech_encoder": False}, False),
    ],
)
def test_weights_that_a_step_may_leave_out(fields: dict[str, object], expected: bool) -> None:
    """DistributedDataParallel waits for ever for gradients that never come, unless it is told."""
    assert may_leave_weights_out(ModelRecipe(**fields)) is expected
