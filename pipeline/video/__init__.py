import os

os.environ.setdefault("PATH", os.defpath)  # decord cannot be imported without one
