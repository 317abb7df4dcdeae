"""A whole API beside roomgate: it logs users in, issues their tokens, and publishes what they write."""

import json
import os
import pathlib
import time

import flask
import jwt
import redis

PAGE = pathlib.Path(__file__).resolve().parent.parent / "page.html"
SECRET = os.environ["JWT_SECRET"]  # that roomgate has
USERS = {"ada": {"password": "lovelace", "rooms": ["42"]}, "bob": {"password": "bobbin", "rooms": ["43"]}}  # your table of users
app = flask.Flask(__name__)
redis_client = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))


@app.get("/")
def page():
    return flask.send_file(PAGE)


@app.post("/login")
def login():
    name, user = flask.request.form["name"], USERS.get(flask.request.form["name"])
    if not user or user["password"] != flask.request.form["password"]:
        flask.abort(401, "wrong name or password")
    claims = {"sub": name, "exp": int(time.time()) + 900, "rooms": user["rooms"]}
    return jwt.encode(claims, SECRET, algorithm="HS256"), {"Cache-Control": "no-store"}


@app.post("/messages")
def publish():
    try:
        token = flask.request.headers.get("Authorization", "").removeprefix("Bearer ")
        user = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        flask.abort(401, "log in first")
    room, text = flask.request.form["room"], flask.request.form["text"]
    if room not in user["rooms"]:
        flask.abort(403, "not your room")
    message = json.dumps({"from": user["sub"], "text": text})  # store it first, if it is to be kept
    redis_client.publish("room:" + room, message)
    return message, 201, {"Content-Type": "application/json"}
