"""
A page where people try an EmoSpeech model: speak or upload, and see which emotions are told, and how sure that is.

This file stands alone, since it is also the `app.py` of a Space: it needs gradio, the pandas that gradio brings,
transformers, torch, librosa and soundfile, and nothing of the package emospeech_hf. `page.json` beside it names the
model.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pandas
from transformers import pipeline


TASK = "audio-text-emotion"
MAX_FILE_SIZE = "20mb"
KEEP_SECONDS = 600
"""Uploads are deleted after this, so that they can be heard back until then."""

LOOK_SECONDS = 60
"""How often it is looked for such uploads."""

TEXTS: dict[str, dict[str, str]] = {
    "Español": {
        "title": "Emoción en el habla",
        "intro": "Di algo o sube una grabación, escribe lo que se dice y mira qué emoción parece expresar.",
        "audio": "Grabación",
        "transcript": "Transcripción",
        "transcript_hint": "Lo que se dice, palabra por palabra",
        "transcript_spared": "Lo que se dice; déjalo vacío y se escribirá solo",
        "transcript_optional": "Lo que se dice; puede faltar, o la grabación",
        "heard": "Se ha oído: «{text}»",
        "button": "¿Qué emoción?",
        "answer": "Emoción",
        "examples": "Ejemplos",
        "limits": (
            "**Qué no puede decir:** no sabe lo que una persona siente, piensa o pretende, y no detecta mentiras. Solo "
            "estima a qué se parecen la voz y las palabras, y se equivoca a menudo. No la uses con quien no haya dado "
            "su consentimiento, ni en el trabajo o la enseñanza: allí la ley europea lo prohíbe. Lo que subas se borra "
            "a los diez minutos y no se envía a ningún otro sitio."
        ),
        "no_audio": "Falta la grabación: este modelo escucha.",
        "no_text": "Falta la transcripción: este modelo lee. Escribe lo que se dice.",
        "bad": "No se ha podido usar la grabación: {reason}",
        "sure": "La más probable: **{label}**, con una puntuación de {score:.0%}.",
        "close": "Le sigue de cerca {label} ({score:.0%}): tómalo como dudoso.",
        "calibrated": (
            "Cuando el modelo estuvo tan seguro en la prueba ({n} enunciados), acertó el {accuracy:.0%} de las veces."
        ),
        "uncalibrated": "No se ha medido con qué frecuencia acierta una puntuación así: tómala como un orden.",
        "one": "Un enunciado",
        "long": "Una grabación larga",
        "long_intro": "Sube una entrevista, una llamada o un discurso, y mira cómo cambia la emoción.",
        "own_profile": "Adaptarse a las voces de la grabación (el resultado llega al final)",
        "long_button": "Escuchar",
        "plot": "Puntuación de cada emoción",
        "second": "segundo",
        "emotion": "emoción",
        "score": "puntuación",
        "start": "desde (s)",
        "end": "hasta (s)",
        "words": "palabras",
        "silence": "silencio",
        "nothing_heard": "En la grabación no se oye nada.",
        "no words": "sin palabras",
        "anger": "ira",
        "disgust": "asco",
        "fear": "miedo",
        "joy": "alegría",
        "neutral": "neutral",
        "sadness": "tristeza",
    },
    "English": {
        "title": "Emotion in Spanish speech",
        "intro": "Say something or upload a recording, type what is said, and see which emotion it seems to express.",
        "audio": "Recording",
        "transcript": "Transcript",
        "transcript_hint": "What is said, word by word",
        "transcript_spared": "What is said; leave it empty to have it written",
        "transcript_optional": "What is said; it may be missing, or the recording",
        "heard": "Heard: “{text}”",
        "button": "Which emotion?",
        "answer": "Emotion",
        "examples": "Examples",
        "limits": (
            "**What it cannot tell:** it does not know what a person feels, thinks or intends, and it is no lie "
            "detector. It only estimates what voice and words resemble, and it is often wrong. Do not use it on people "
            "who have not agreed, nor at work or in education, where European law forbids it. What you upload is "
            "deleted after ten minutes and sent nowhere else."
        ),
        "no_audio": "The recording is missing: this model hears.",
        "no_text": "The transcript is missing: this model reads. Type what is said.",
        "bad": "The recording cannot be used: {reason}",
        "sure": "Most probable: **{label}**, with a score of {score:.0%}.",
        "close": "{label} is close behind ({score:.0%}): take it as doubtful.",
        "calibrated": (
            "When the model was that sure in its test ({n} utterances), it was right {accuracy:.0%} of the time."
        ),
        "uncalibrated": "How often such a score is right has not been measured: take it for an order.",
        "one": "One utterance",
        "long": "A long recording",
        "long_intro": "Upload an interview, a call or a speech, and see how the emotion changes.",
        "own_profile": "Adapt to the voices of the recording (the result comes at the end)",
        "long_button": "Listen",
        "plot": "Score of each emotion",
        "second": "second",
        "emotion": "emotion",
        "score": "score",
        "start": "from (s)",
        "end": "to (s)",
        "words": "words",
        "silence": "silence",
        "nothing_heard": "There is nothing to hear in the recording.",
        "no words": "no words",
        "anger": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "joy": "joy",
        "neutral": "neutral",
        "sadness": "sadness",
    },
}
LANGUAGES = tuple(TEXTS)
CLOSE = 0.15
"""The second emotion is called close behind when its score is within this of the first."""


def build_page(classify: Any, metrics: dict[str, Any] | None = None, examples: str | Path | None = None) -> gr.Blocks:
    """
    Args:
        classify (`AudioTextEmotionPipeline`): the model's pipeline.
        metrics (`dict`, *optional*): the release's `metrics.json`, whose calibration tells how far a score can be
            believed.
        examples (`str` or `Path`, *optional*): folder of recordings, each with its transcript beside it as `.txt`.

    Returns:
        `gr.Blocks`: to be launched with [`launch_page`].
    """
    modalities = classify.model.config.modalities
    transcribes = classify.transcriber is not None
    hears = "speech" in modalities or transcribes
    clips = example_clips(examples) if hears else []
    texts = TEXTS[LANGUAGES[0]]
    spared = "transcript_spared" if transcribes else "transcript_optional"
    hint = spared if transcribes or classify.model.config.missing_modalities else "transcript_hint"
    with gr.Blocks(title=texts["title"], analytics_enabled=False, delete_cache=(LOOK_SECONDS, KEEP_SECONDS)) as page:
        language = gr.Radio(LANGUAGES, value=LANGUAGES[0], label="Idioma · Language", elem_id="language")
        title = gr.Markdown(f"# {texts['title']}")
        with gr.Tab(texts["one"]) as one:
            intro = gr.Markdown(texts["intro"])
            with gr.Row():
                with gr.Column():
                    audio = gr.Audio(
                        sources=["upload", "microphone"],
                        type="filepath",
                        label=texts["audio"],
                        buttons=["download"],
                        visible=hears,
                        elem_id="audio",
                    )
                    transcript = gr.Textbox(
                        label=texts["transcript"],
                        placeholder=texts[hint],
                        lines=3,
                        visible="text" in modalities,
                        elem_id="transcript",
                    )
                    button = gr.Button(texts["button"], variant="primary", elem_id="button")
                with gr.Column():
                    answer = gr.Label(label=texts["answer"], num_top_classes=6, elem_id="answer")
                    certainty = gr.Markdown(elem_id="certainty")
            if clips:
                gr.Examples(clips, [audio, transcript], label=texts["examples"], cache_examples=False)
        tells_long = can_tell_long(classify)
        with gr.Tab(texts["long"], visible=tells_long, elem_id="long") as long:
            long_intro = gr.Markdown(texts["long_intro"])
            long_audio = gr.Audio(
                sources=["upload", "microphone"], type="filepath", label=texts["audio"], elem_id="long_audio"
            )
            takes_profiles = classify.model.config.takes_profiles
            own_profile = gr.Checkbox(
                takes_profiles, label=texts["own_profile"], visible=takes_profiles, elem_id="own_profile"
            )
            long_button = gr.Button(texts["long_button"], variant="primary", elem_id="long_button")
            problem = gr.Markdown(elem_id="long_problem")
            plot = gr.LinePlot(label=texts["plot"], elem_id="plot")
            table = gr.Dataframe(interactive=False, visible=False, elem_id="table")
        limits = gr.Markdown(texts["limits"])

        def tell(path: str | None, text: str, chosen: str) -> tuple[dict[str, float] | None, str]:
            return tell_emotion(classify, path, text, chosen, metrics)

        def translate(chosen: str) -> list[Any]:
            own = TEXTS[chosen]
            return [
                gr.Markdown(f"# {own['title']}"),
                gr.Markdown(own["intro"]),
                gr.Audio(label=own["audio"]),
                gr.Textbox(label=own["transcript"], placeholder=own[hint]),
                gr.Button(own["button"]),
                gr.Label(value=None, label=own["answer"]),
                gr.Markdown(""),
                gr.Markdown(own["limits"]),
                gr.Tab(own["one"]),
                gr.Tab(own["long"]),
                gr.Markdown(own["long_intro"]),
                gr.Audio(label=own["audio"]),
                gr.Checkbox(label=own["own_profile"]),
                gr.Button(own["long_button"]),
                gr.Markdown(""),
                gr.LinePlot(value=None, label=own["plot"]),
                gr.Dataframe(visible=False),
            ]

        def tell_long(path: str | None, adapt: bool, chosen: str) -> Iterator[Any]:
            yield from tell_timeline(classify, path, adapt, chosen)

        button.click(tell, [audio, transcript, language], [answer, certainty], api_name="tell_emotion")
        language.change(
            translate,
            language,
            [
                title, intro, audio, transcript, button, answer, certainty, limits, one, long, long_intro, long_audio,
                own_profile, long_button, problem, plot, table,
            ],
            api_visibility="private",
        )  # fmt: skip
        if tells_long:
            long_button.click(
                tell_long, [long_audio, own_profile, language], [plot, table, problem], api_name="tell_timeline"
            )
    return page


def tell_emotion(
    classify: Any, path: str | None, text: str, language: str, metrics: dict[str, Any] | None
) -> tuple[dict[str, float] | None, str]:
    """
    Answer one press of the button; what is wrong with the input is said on the page.

    Args:
        classify (`AudioTextEmotionPipeline`): the model's pipeline.
        path (`str`, *optional*): the recording.
        text (`str`): its transcript.
        language (`str`): one of `LANGUAGES`.
        metrics (`dict`, *optional*): the release's `metrics.json`.

    Returns:
        `tuple[dict[str, float] | None, str]`: emotion to score, and how sure that is, or what is wrong.
    """
    texts, config = TEXTS[language], classify.model.config
    if "speech" in config.modalities and not path and not (config.missing_modalities and text.strip()):
        return None, f"⚠️ {texts['no_audio']}"
    spared = bool(path) and (classify.transcriber is not None or config.missing_modalities)
    if "text" in config.modalities and not text.strip() and not spared:
        return None, f"⚠️ {texts['no_text']}"
    utterance = {"audio": path, "text": text if text.strip() else None}
    try:
        told = classify({key: value for key, value in utterance.items() if value})
    except (ValueError, OSError) as error:
        return None, _unusable(error, path, texts)
    if told[0]["label"] == "silence":
        return None, f"⚠️ {texts['nothing_heard']}"
    names = [texts.get(entry["label"], entry["label"]) for entry in told]
    lines = [texts["sure"].format(label=names[0], score=told[0]["score"])]
    if told[0]["score"] - told[1]["score"] < CLOSE:
        lines.append(texts["close"].format(label=names[1], score=told[1]["score"]))
    if "text" in told[0]:
        lines.insert(0, texts["heard"].format(text=told[0]["text"]))
    lines.append(describe_certainty(told[0]["score"], metrics, texts))
    return {name: entry["score"] for name, entry in zip(names, told)}, "\n\n".join(lines)


def can_tell_long(classify: Any) -> bool:
    """
    Args:
        classify (`AudioTextEmotionPipeline`): the model's pipeline.

    Returns:
        `bool`: whether it can hear a recording of which no transcript is given.
    """
    config, transcribes = classify.model.config, classify.transcriber is not None
    if "speech" not in config.modalities:
        return transcribes
    return "text" not in config.modalities or transcribes or config.missing_modalities


def tell_timeline(classify: Any, path: str | None, own_profile: bool, language: str) -> Iterator[tuple[Any, Any, str]]:
    """
    Hear a long recording; what is known is shown while the rest is still heard.

    Args:
        classify (`AudioTextEmotionPipeline`): the model's pipeline.
        path (`str`, *optional*): the recording.
        own_profile (`bool`): see the pipeline's `timeline`.
        language (`str`): one of `LANGUAGES`.

    Returns:
        `Iterator[tuple]`: the plot, the table, and what is wrong, if anything is.
    """
    texts = TEXTS[language]
    if not path:
        yield None, gr.Dataframe(visible=False), f"⚠️ {texts['no_audio']}"
        return
    scores: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    headers = [texts[name] for name in ("start", "end", "emotion", "score", "words")]
    try:
        for entry in classify.timeline(path, own_profile=own_profile, batch_size=4):
            label, score = texts.get(entry["label"], entry["label"]), entry["score"]
            shown = "" if score is None else f"{score:.2f}"
            rows.append([entry["start"], entry["end"], label, shown, entry["text"] or ""])
            middle = (entry["start"] + entry["end"]) / 2
            scores += [
                {texts["second"]: middle, texts["score"]: value, texts["emotion"]: texts.get(name, name)}
                for name, value in entry["scores"].items()
            ]
            if len(rows) % 4 == 0:
                yield _plot(scores, texts), gr.Dataframe(rows, headers=headers, visible=True), ""
    except (ValueError, OSError) as error:
        yield None, gr.Dataframe(visible=False), _unusable(error, path, texts)
        return
    yield _plot(scores, texts), gr.Dataframe(rows, headers=headers, visible=True), ""


def _unusable(error: Exception, path: str | None, texts: dict[str, str]) -> str:
    # The server's folders are nobody's business.
    reason = str(error).replace(str(path), Path(path).name) if path else str(error)
    return f"⚠️ {texts['bad'].format(reason=reason)}"


def _plot(scores: list[dict[str, Any]], texts: dict[str, str]) -> Any:
    if not scores:
        return None
    second, score, emotion = texts["second"], texts["score"], texts["emotion"]
    return gr.LinePlot(pandas.DataFrame(scores), x=second, y=score, color=emotion, y_lim=[0, 1])


def describe_certainty(score: float, metrics: dict[str, Any] | None, texts: dict[str, str]) -> str:
    """
    Args:
        score (`float`): of the most probable emotion.
        metrics (`dict`, *optional*): the release's `metrics.json`.
        texts (`dict[str, str]`): of the language.

    Returns:
        `str`: how often the model was right in its test when it was as sure as that.
    """
    bins = ((metrics or {}).get("calibration") or {}).get("bins", [])
    own = next((entry for entry in bins if entry["low"] < score <= entry["high"]), None)
    return texts["uncalibrated"] if own is None else texts["calibrated"].format(**own)


def example_clips(folder: str | Path | None) -> list[list[str]]:
    """
    Args:
        folder (`str` or `Path`, *optional*): of recordings, each with its transcript beside it as `.txt`.

    Returns:
        `list[list[str]]`: for each, its path and its transcript.
    """
    if folder is None or not Path(folder).is_dir():
        return []
    return [
        [str(path), path.with_suffix(".txt").read_text(encoding="utf-8").strip()]
        for path in sorted(Path(folder).iterdir())
        if path.suffix in (".wav", ".mp3", ".flac", ".ogg") and path.with_suffix(".txt").is_file()
    ]


def launch_page(page: gr.Blocks, **options: Any) -> Any:
    """
    Serve a page. Nothing is sent elsewhere, and larger files than `MAX_FILE_SIZE` are refused.

    Args:
        page (`gr.Blocks`): from [`build_page`].
        options: passed on to `gr.Blocks.launch`.

    Returns:
        what `gr.Blocks.launch` returns.
    """
    # Fonts of the visitor's machine: the usual ones are fetched from elsewhere.
    fonts = ["system-ui", "sans-serif"]
    theme = gr.themes.Soft(font=fonts, font_mono=["ui-monospace", "monospace"])
    return page.launch(theme=theme, max_file_size=MAX_FILE_SIZE, footer_links=[], show_error=True, **options)


def main() -> None:
    """Serve the page of a Space: the model that `page.json` names."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    here = Path(__file__).resolve().parent
    settings = json.loads((here / "page.json").read_text(encoding="utf-8"))
    classify = pipeline(
        TASK,
        model=settings["model"],
        revision=settings["revision"],
        transcriber=settings.get("transcriber"),
        trust_remote_code=True,
    )
    launch_page(build_page(classify, settings.get("metrics"), here / "examples"))


if __name__ == "__main__":
    main()
