import importlib
import os
import sys

# The backend may be a module of the project itself, and setup.py may import
# its neighbours.
sys.path.insert(0, os.getcwd())
sys.argv, (name, out) = ["setup.py"], sys.argv[1:3]
module, _, attribute = name.partition(":")
try:
    backend = importlib.import_module(module)
except ImportError as e:
    print(e)
    sys.exit(3)
if attribute:
    backend = getattr(backend, attribute)
backend.build_sdist(out)
