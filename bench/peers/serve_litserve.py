"""LitServe, whose workers are processes of their own."""
import litserve

from served_model import PORT, ROUTE, ServedModel


class API(litserve.LitAPI):
    def setup(self, device):
        self.model = ServedModel()

    def decode_request(self, request):
        return request["instances"]

    def predict(self, instances):
        return self.model.predict(instances)

    def encode_response(self, predictions):
        return {"predictions": predictions}


if __name__ == "__main__":
    server = litserve.LitServer(API(api_path=ROUTE), accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=PORT, generate_client_file=False, log_level="warning", access_log=False)
