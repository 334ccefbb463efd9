"""All steps of a recipe under spark-submit, with the arguments of ``headwater run``; master and settings are spark-submit's.

spark-submit --master yarn jobs/run_job.py s3://bucket/lake ling-flash-2 --input s3://bucket/raw
"""

import sys

from headwater.cli.root import cli

if __name__ == "__main__":
    cli(["run", *sys.argv[1:]], prog_name="run_job.py")
