"""The Python that PyTriton 0.7.0 brings along is an older 3.11 than the standard
library that it finds, whose multiprocessing wants RLock._recursion_count."""
import threading

if not hasattr(threading.RLock(), "_recursion_count"):
    from multiprocessing import resource_tracker

    class Lock:
        def __init__(self):
            self._lock = threading.RLock()
            self.acquire, self.release = self._lock.acquire, self._lock.release

        def __enter__(self):
            return self._lock.__enter__()

        def __exit__(self, *args):
            return self._lock.__exit__(*args)

        def _recursion_count(self):
            return 1

    resource_tracker._resource_tracker._lock = Lock()
