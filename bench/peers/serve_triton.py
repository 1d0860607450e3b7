"""Triton through nvidia-pytriton: Triton's own HTTP server in front of a Python process."""
import os

# Read by the Python that PyTriton brings along.
os.environ["PYTHONPATH"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "triton")

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from served_model import PORT, ServedModel

model = ServedModel()


def columns(shape):
    """The shape of one row; PyTriton has no rows that are a single number."""
    return tuple(shape[1:]) or (1,)


@batch
def infer(**inputs):
    array = inputs[model.input]
    outputs = model.run(array.reshape([-1] + model.shape[1:]))
    return {name: a.reshape((len(a),) + columns(a.shape)) for name, a in outputs.items()}


config = TritonConfig(http_address="127.0.0.1", http_port=PORT, allow_grpc=False, allow_metrics=False, log_verbose=0)
with Triton(config=config, workspace=os.path.join(os.getcwd(), "workspace")) as triton:
    triton.bind(
        model_name="m", infer_func=infer,
        inputs=[Tensor(name=model.input, dtype=model.dtype, shape=columns(model.shape))],
        outputs=[Tensor(name=n, dtype=model.dtypes[n], shape=columns(s)) for n, s in model.outputs.items()],
        config=ModelConfig(max_batch_size=128))
    triton.serve()
