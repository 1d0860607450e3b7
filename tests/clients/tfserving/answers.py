"""Asks over gRPC with tensorflow-serving-api, unmodified.

Arguments: the address, the token, and the folder of the module that writes values in JSON.
Reads a line for each request, {"model", "signature", "inputs"}, and writes one with the
outputs, or {"error"}. The types of inputs are those that the model's metadata gives.
"""
import json
import sys

address, token, exports = sys.argv[1:]
sys.path.append(exports)

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from cases import decoded, values

auth = [("authorization", "Bearer " + token)]
SIZE = 64 << 20


def signature_of(service, model, signature):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = model
    signatures = get_model_metadata_pb2.SignatureDefMap()
    service.GetModelMetadata(request, 60, metadata=auth).metadata["signature_def"].Unpack(signatures)
    return signatures.signature_def[signature]


def ask(service, model, signature, inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    specs = signature_of(service, model, signature).inputs
    for k, v in inputs.items():
        array = np.array(decoded(v), tf.as_dtype(specs[k].dtype).as_numpy_dtype)
        request.inputs[k].CopyFrom(tf.make_tensor_proto(array, specs[k].dtype))
    answer = service.Predict(request, 60, metadata=auth)
    return {k: values(k, tf.make_ndarray(v)) for k, v in answer.outputs.items()}


options = [("grpc.max_send_message_length", SIZE), ("grpc.max_receive_message_length", SIZE)]
with grpc.insecure_channel(address, options) as channel:
    service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    for line in sys.stdin:
        try:
            answer = {"outputs": ask(service, **json.loads(line))}
        except grpc.RpcError as e:
            answer = {"error": f"{e.code().name}: {e.details()}"}
        print(json.dumps(answer), flush=True)
