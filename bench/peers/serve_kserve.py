"""KServe's Python server."""
import sys

import kserve

from served_model import PORT, ServedModel


class Model(kserve.Model):
    def __init__(self):
        super().__init__("m")
        self.model = ServedModel()
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        return {"predictions": self.model.predict(payload["instances"])}


if __name__ == "__main__":
    sys.argv[1:] = ["--enable_grpc", "false"]
    kserve.ModelServer(
        http_port=PORT, enable_grpc=False, workers=1, access_log_format=None, enable_latency_logging=False).start([Model()])
