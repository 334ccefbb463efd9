"""The step deduplicate under spark-submit, with the arguments of ``headwater dedup``; master and settings are spark-submit's.

spark-submit --master yarn jobs/deduplicate_job.py s3://bucket/lake ling-flash-2
"""

import sys

from headwater.cli.root import cli

if __name__ == "__main__":
    cli(["dedup", *sys.argv[1:]], prog_name="deduplicate_job.py")
