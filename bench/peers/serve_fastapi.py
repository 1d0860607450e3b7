"""FastAPI at its best: orjson both ways, uvloop and httptools, no access log, no
thread of a pool between the request and the model."""
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

from served_model import PORT, ROUTE, ServedModel

app = FastAPI()
model = ServedModel()


@app.post(ROUTE)
async def predict(request: Request):
    body = orjson.loads(await request.body())
    return Response(orjson.dumps({"predictions": model.predict(body["instances"])}), media_type="application/json")


uvicorn.run(app, host="127.0.0.1", port=PORT, loop="uvloop", http="httptools", log_level="warning", access_log=False)
