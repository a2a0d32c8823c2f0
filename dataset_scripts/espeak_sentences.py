"""Spanish sentences for six emotions: openings, matters and endings, which are combined at random."""

from __future__ import annotations

import random


MATTERS = (
    "la reunión de esta mañana", "el informe del vecino", "la llamada de mi hermana", "el viaje a Sevilla",
    "la factura de la luz", "el partido del domingo", "la carta del banco", "la comida de ayer", "el coche nuevo",
    "la obra de la calle", "el examen de Lucía", "la noticia de la radio", "el tren de las ocho", "la casa del pueblo",
    "la consulta del médico", "el regalo de mi primo", "la respuesta del ayuntamiento", "el perro de al lado",
    "la película de anoche", "el contrato del piso",
)  # fmt: skip

OPENINGS = {
    "anger": (
        "Estoy harto de",
        "Me indigna",
        "No aguanto más",
        "Es una vergüenza",
        "Qué rabia me da",
        "Ya está bien con",
    ),
    "disgust": (
        "Qué asco me da",
        "Me repugna",
        "Me revuelve el estómago",
        "No puedo ni mirar",
        "Da náuseas",
        "Qué repelús,",
    ),
    "fear": ("Tengo miedo de", "Me aterra", "Me asusta mucho", "Tiemblo al pensar en", "Me da pánico", "No duermo por"),
    "joy": (
        "Qué alegría",
        "Estoy feliz por",
        "Me encanta",
        "Qué maravilla",
        "Celebramos",
        "No quepo en mí de gozo por",
    ),
    "neutral": (
        "Hoy hemos hablado de",
        "El acta recoge",
        "A las cinco se trata",
        "Queda apuntada",
        "Se ha revisado",
        "Consta en la agenda",
    ),
    "sadness": (
        "Qué pena me da",
        "Lloro por",
        "Me entristece",
        "Echo de menos",
        "Se me parte el alma con",
        "Me deja sin ánimo",
    ),
}

ENDINGS = {
    "anger": ("¡esto no se puede consentir!", "¡que alguien responda de una vez!", "¡siempre la misma burla!"),
    "disgust": ("huele que apesta.", "prefiero no tocarlo.", "qué cosa más sucia."),
    "fear": ("puede pasar algo terrible.", "no me dejes solo, por favor.", "¿y si no salimos de esta?"),
    "joy": ("¡vamos a brindar!", "¡ha salido todo de maravilla!", "¡qué suerte tenemos!"),
    "neutral": ("después sigue el orden del día.", "el resto queda igual.", "se enviará por correo."),
    "sadness": ("ya nada será como antes.", "no tengo ganas de nada.", "lo hemos perdido para siempre."),
}

# Sentences that could stand for several emotions, as people's often do: then the voice has to tell.
PLAIN = ("Ha llamado por", "Me han contado lo de", "Hay que ver", "Sobre", "Otra vez", "Vengo de")
PLAIN_ENDINGS = ("así están las cosas.", "eso es lo que hay.", "ya lo sabes.", "eso me han dicho.")
PLAIN_SHARE = 0.35


def sentences(label: str, count: int, generator: random.Random, taken: set[str]) -> list[str]:
    """
    Args:
        label (`str`): the emotion.
        count (`int`): how many.
        generator (`random.Random`): chooses the parts.
        taken (`set[str]`): sentences that were given out already; the new ones are added, so that no sentence is
            spoken by two voices.

    Returns:
        `list[str]`: sentences of which about a third tell the emotion by nothing but the voice.
    """
    made: list[str] = []
    while len(made) < count:
        plain = generator.random() < PLAIN_SHARE
        opening = generator.choice(PLAIN if plain else OPENINGS[label])
        ending = generator.choice(PLAIN_ENDINGS if plain else ENDINGS[label])
        sentence = f"{opening} {generator.choice(MATTERS)}, {ending}"
        sentence = sentence.replace(" de el ", " del ")
        # A plain sentence may be said in every emotion; any other once.
        key = f"{label}: {sentence}" if plain else sentence
        if key not in taken:
            taken.add(key)
            made.append(sentence)
    return made
