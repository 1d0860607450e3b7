"""tensorflow-serving-api, unmodified, against a daemon: the model "half" computes x/2+2.

Arguments: the address, the token, the CA's file, and a file for the descriptors of
the package's own messages. Prints one line for each thing that it saw.
"""
import sys

import grpc
import tensorflow as tf
from google.protobuf import descriptor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_service_pb2_grpc, predict_pb2
from tensorflow_serving.apis import classification_pb2, model_service_pb2, prediction_service_pb2, prediction_service_pb2_grpc

address, token, ca, descriptors = sys.argv[1:]
auth = [("authorization", "Bearer " + token)]


def collect(file, into, seen):
    """Puts a file's descriptor behind those of its imports."""
    if file.name in seen:
        return
    seen.add(file.name)
    for dependency in file.dependencies:
        collect(dependency, into, seen)
    file.CopyToProto(into.file.add())


def predict(model="half", **values):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    for name, value in values.items():
        request.inputs[name].CopyFrom(value)
    return request


def failure(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except grpc.RpcError as e:
        return f"{e.code().name}: {e.details()}"
    return "no failure"


def ask(name, channel):
    service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    answer = service.Predict(predict(x=tf.make_tensor_proto([1.0, 2.0, 5.0])), 60, metadata=auth)
    print(name, "content", tf.make_ndarray(answer.outputs["y"]).tolist(), answer.model_spec.name, answer.model_spec.version.value,
          answer.model_spec.signature_name)
    typed = type(tf.make_tensor_proto(1.0))(dtype=tf.float32.as_datatype_enum, float_val=[3.0])
    typed.tensor_shape.dim.add().size = 2
    request = predict(x=typed)
    request.model_spec.version.value = 1
    request.output_filter.append("y")
    print(name, "float_val", tf.make_ndarray(service.Predict(request, 60, metadata=auth).outputs["y"]).tolist())


with grpc.insecure_channel(address) as channel:
    ask("plain", channel)
    service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    one = tf.make_tensor_proto([1.0])
    print("absent", failure(service.Predict, predict("absent", x=one), 60, metadata=auth))
    print("anonymous", failure(service.Predict, predict(x=one), 60))
    print("stranger", failure(service.Predict, predict(x=one), 60, metadata=[("authorization", "Bearer other")]))
    print("type", failure(service.Predict, predict(x=tf.make_tensor_proto([1])), 60, metadata=auth))
    print("input", failure(service.Predict, predict(z=one), 60, metadata=auth))
    print("gzip", tf.make_ndarray(service.Predict(predict(x=tf.make_tensor_proto([0.0] * 1000)), 60,
                                                   metadata=auth, compression=grpc.Compression.Gzip).outputs["y"]).sum())
    print("classify", failure(service.Classify, classification_pb2.ClassificationRequest(), 60, metadata=auth))
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "half"
    answer = service.GetModelMetadata(request, 60, metadata=auth)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(signatures)
    x = signatures.signature_def["serving_default"].inputs["x"]
    print("metadata", answer.model_spec.version.value, tf.as_dtype(x.dtype).name, [d.size for d in x.tensor_shape.dim])
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half"
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    for v in models.GetModelStatus(request, 60, metadata=auth).model_version_status:
        print("status", v.version, get_model_status_pb2.ModelVersionStatus.State.Name(v.state), v.status.error_code)
    request.model_spec.name = "absent"
    print("no status", failure(models.GetModelStatus, request, 60, metadata=auth))

with open(ca, "rb") as f:
    credentials = grpc.ssl_channel_credentials(f.read())
with grpc.secure_channel(address, credentials) as channel:
    ask("tls", channel)

files = descriptor_pb2.FileDescriptorSet()
seen = set()
for module in (prediction_service_pb2, model_service_pb2):
    collect(module.DESCRIPTOR, files, seen)
with open(descriptors, "wb") as f:
    f.write(files.SerializeToString())
