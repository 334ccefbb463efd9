"""The step decide under spark-submit, with the arguments of ``headwater decide``; master and settings are spark-submit's.

spark-submit --master yarn jobs/decide_job.py s3://bucket/lake ling-flash-2
"""

import sys

from headwater.cli.root import cli

if __name__ == "__main__":
    cli(["decide", *sys.argv[1:]], prog_name="decide_job.py")
