"""A stand-in for Argo's workflow controller, for exactly the manifests that flowc prints.

    python standin --namespace NAME --wait-image IMAGE      (KUBECONFIG as for kubectl)

It watches the Workflows of one namespace on a real API server and makes real pods. Everything that flowc does not print is
refused by name (subset.py), so a run that it makes succeed is one that was understood whole.

What it does not do as Argo: no executor container beside every task (only beside those that report a count, see pods.py);
a stopped task's pod is deleted instead of being signalled; a CronWorkflow ticks when its annotation flowc-bed/tick changes.
It stands in for Argo Events too (events.py).
"""

import argparse
import sys
import time
import traceback

from api import Api, ApiError
from controller import Controller
from events import Events


def main():
    """Reconciles until it is killed."""
    parser = argparse.ArgumentParser(prog="standin")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--wait-image", required=True, help="an image with python3, for the container that reads counts")
    parser.add_argument("--interval", type=float, default=0.3, help="seconds between two looks at the cluster")
    parser.add_argument("--only-events", action="store_true", help="stand in for Argo Events, beside Argo's own controller")
    options = parser.parse_args()
    api = Api(options.namespace)
    controller = Events(api) if options.only_events else Controller(api, options.wait_image)
    while True:
        try:
            controller.look()
        except (ApiError, OSError) as error:
            # The API server may be restarted in a test; the next look finds everything in the cluster again.
            print(f"standin: {error}", file=sys.stderr, flush=True)
            time.sleep(1)
        except Exception:
            traceback.print_exc()
            raise
        time.sleep(options.interval)


if __name__ == "__main__":
    main()
