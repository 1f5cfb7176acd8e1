"""What the command line of the emulator says; read by its other modules."""

ACCOUNT = "123456789012"
REGION = "us-east-1"

url = ""
work = ""
images: dict = {}
jobs = 2
time_scale = 1.0
