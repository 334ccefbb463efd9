"""The step extract under spark-submit, with the arguments of ``headwater extract``; master and settings are spark-submit's.

spark-submit --master yarn jobs/extract_job.py s3://bucket/lake ling-flash-2
"""

import sys

from headwater.cli.root import cli

if __name__ == "__main__":
    cli(["extract", *sys.argv[1:]], prog_name="extract_job.py")
