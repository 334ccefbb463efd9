"""The step annotate under spark-submit, with the arguments of ``headwater annotate``; master and settings are spark-submit's.

spark-submit --master yarn jobs/annotate_job.py s3://bucket/lake ling-flash-2
"""

import sys

from headwater.cli.root import cli

if __name__ == "__main__":
    cli(["annotate", *sys.argv[1:]], prog_name="annotate_job.py")
