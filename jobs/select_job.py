"""The step select under spark-submit, with the arguments of ``headwater select``; master and settings are spark-submit's.

spark-submit --master yarn jobs/select_job.py s3://bucket/lake ling-flash-2
"""

import sys

from headwater.cli.root import cli

if __name__ == "__main__":
    cli(["select", *sys.argv[1:]], prog_name="select_job.py")
