"""Recipes and the Accelerate loop that follows them."""

from .recipe import Recipe, RecipeError, load_recipe, recipe_from_dict, recipe_names
from .run import RunOptions, load_run, train


__all__ = [
    "Recipe",
    "RecipeError",
    "RunOptions",
    "load_recipe",
    "load_run",
    "recipe_from_dict",
    "recipe_names",
    "train",
]
