"""MLServer, with the model in the process that answers."""
import asyncio

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

from served_model import PORT, ServedModel


class Runtime(MLModel):
    async def load(self):
        self.model = ServedModel()
        return True

    async def predict(self, payload):
        outputs = self.model.run(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(name, array) for name, array in outputs.items()])


settings = Settings(
    host="127.0.0.1", http_port=PORT, grpc_port=PORT + 1, metrics_endpoint=None, parallel_workers=0,
    debug=False, gzip_enabled=False)
asyncio.run(MLServer(settings).start([ModelSettings(name="m", implementation=Runtime)]))
