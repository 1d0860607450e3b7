"""Ray Serve: an HTTP proxy and a replica in processes of their own."""
import os
import threading

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_SERVE_THROUGHPUT_OPTIMIZED="1")

import ray
from ray import serve
from starlette.requests import Request

from served_model import PORT, ServedModel


@serve.deployment(num_replicas=1, max_ongoing_requests=100, ray_actor_options={"num_cpus": 0.5})
class Deployment:
    def __init__(self):
        self.model = ServedModel()

    async def __call__(self, request: Request):
        body = await request.json()
        return {"predictions": self.model.predict(body["instances"])}


if __name__ == "__main__":
    ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error",
        _temp_dir=os.getcwd(), object_store_memory=200 << 20,
        runtime_env={"env_vars": {"PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}})
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Deployment.bind(), route_prefix="/")
    threading.Event().wait()
