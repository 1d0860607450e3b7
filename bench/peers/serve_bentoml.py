"""BentoML, started by its own command, which imports this file."""
import os
import sys

import bentoml

from served_model import PORT, ROUTE, ServedModel


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Service:
    def __init__(self):
        self.model = ServedModel()

    @bentoml.api(route=ROUTE)
    def predict(self, instances: list) -> dict:
        return {"predictions": self.model.predict(instances)}


if __name__ == "__main__":
    command = os.path.join(os.path.dirname(sys.executable), "bentoml")
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ.update(BENTOML_DO_NOT_TRACK="true", BENTOML_HOME=os.getcwd())
    os.execv(command, [command, "serve", "serve_bentoml:Service", "--working-dir", here, "--host", "127.0.0.1", "--port", str(PORT)])
