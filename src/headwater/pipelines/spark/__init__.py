"""What every step needs of Spark: a session, tasks, progress, narrow rows beside fragments."""

from headwater.pipelines.spark.sessions import session

__all__ = ["session"]
