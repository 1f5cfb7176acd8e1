"""Entry of the harness: `python harness.py task` or `python harness.py zygote`.

Python does not keep the compiled form of the file it is started with, so this
one only finds the others.
"""

import os
import sys

if __name__ == "__main__":
    _here = os.path.dirname(os.path.abspath(__file__))
    # The first entry of the path is this folder; the package is found from the one around it.
    sys.path[0] = os.path.dirname(_here)
    from flowc import process

    process.main(sys.argv[1:])
