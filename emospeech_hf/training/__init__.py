"""Recipes and the Accelerate loop that follows them."""

from .recipe import Recipe, RecipeError
from .recipe_files import encoder_settings, load_recipe, recipe_from_dict, recipe_names
from .report import METRICS_FILE, PICTURES, PREDICTIONS_FILE
from .run import finish_run, train
from .run_folder import RunOptions, load_run


__all__ = [
    "METRICS_FILE",
    "PICTURES",
    "PREDICTIONS_FILE",
    "Recipe",
    "RecipeError",
    "RunOptions",
    "encoder_settings",
    "finish_run",
    "load_recipe",
    "load_run",
    "recipe_from_dict",
    "recipe_names",
    "train",
]
