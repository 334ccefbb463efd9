"""The recipe, the Spark passes and the steps of the main job."""
