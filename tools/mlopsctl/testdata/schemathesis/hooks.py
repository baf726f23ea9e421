"""What schemathesis cannot know of the API, so that most requests that are meant to
be valid reach the stores instead of ending at the first check."""

import json
import re
import zlib
from urllib.parse import unquote

import schemathesis

NAMES = {"model", "name", "alias"}  # attributes that are in the address
REVISION = re.compile(r'^"[0-9a-f-]{36}\.[0-9]+"$')  # an ETag that the server gave
revisions = {}  # the last one of each version


def valid(case):
    return case.meta is not None and not case.meta.generation.mode.is_negative


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.query, dict) and str(case.query.get("wait", "")).isdecimal():
        case.query["wait"] = min(int(case.query["wait"]), 1)  # nobody writes meanwhile
    if not valid(case):
        return
    path, method = case.path_parameters, case.method.upper()
    # Most models are the one that the test has made, which has versions and an alias.
    if "model" in path and (method in ("PUT", "POST") or "version" in path or "alias" in path):
        path["model"] = "fraud"
    if case.meta.phase.name.value != "stateful":
        if "version" in path:
            path["version"] = 1 + int(path["version"]) % 4
        if "alias" in path and len(path["alias"]) % 2:
            path["alias"] = "champion"
    if not isinstance(case.body, dict) or not isinstance(case.body.get("attributes"), dict):
        return
    # Attributes that fit the schema are mostly at odds with each other. Every second
    # time they are the document's example with one of them in it, or none.
    attributes = case.body["attributes"]
    drawn = sorted(set(attributes) - NAMES)
    choice = zlib.crc32(json.dumps(attributes, sort_keys=True).encode())
    if choice % 2:
        content = case.operation.definition.raw["requestBody"]["content"]["application/json"]
        example = dict(content["example"]["attributes"])
        if drawn and choice % 3:
            name = drawn[choice % len(drawn)]
            example[name] = attributes[name]
        case.body["attributes"] = attributes = example
    # The names in the address and in the attributes are the same.
    attributes.update({k: unquote(v) for k, v in path.items() if k in NAMES})
    # Create, or replace the revision that an answer before has named. The server creates
    # versions itself.
    if method != "PUT":
        return
    if "version" in path:
        if case.meta.phase.name.value != "stateful" and path["version"] in revisions:
            case.headers["If-Match"] = revisions[path["version"]]
        return
    if REVISION.match(case.headers.get("If-Match") or ""):
        case.headers.pop("If-None-Match", None)
    else:
        case.headers.pop("If-Match", None)
        case.headers["If-None-Match"] = "*"


@schemathesis.hook
def after_call(context, case, response):
    revision = (response.headers.get("etag") or [""])[0]
    if "version" in case.path_parameters and REVISION.match(revision):
        revisions[case.path_parameters["version"]] = revision


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # Who has no token may try ten a second, whatever the limit for others: 429 then
    # comes in place of 401.
    return response.status_code != 429 and "got `429 " not in failure.message
