"""The step build under spark-submit, with the arguments of ``headwater build``; master and settings are spark-submit's.

spark-submit --master yarn jobs/build_job.py s3://bucket/lake ling-flash-2
"""

import sys

from headwater.cli.root import cli

if __name__ == "__main__":
    cli(["build", *sys.argv[1:]], prog_name="build_job.py")
