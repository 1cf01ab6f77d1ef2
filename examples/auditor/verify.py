#!/usr/bin/env python3
"""Checks Xase evidence without Xase: proof bundles, audit reports, commitments and signatures.

Plain Python (3.9 or newer), standard library only, written from the published formats and not from the SDK's code, so that
what the SDK claims can be checked without it.

    python3 verify.py bundle evidence_txn_....zip --trust trust.json
    python3 verify.py report audit-report.json
    python3 verify.py vectors evidence-vectors.json hash-vectors.json

Prints a verdict for each file. Exit code 0: valid, 1: invalid, 2: usage or a file that cannot be read, 3: not proven.
"""

import base64
import binascii
import datetime
import hashlib
import io
import json
import math
import re
import struct
import sys
import zipfile

# Evidence may be nested 1,000 levels deep, and each level takes a few calls.
sys.setrecursionlimit(20_000)

EVIDENCE = "xase_evidence"
PAYLOAD_TYPE = "application/vnd.xase.commitment.v1+json"
MAX_FILE_BYTES = 64 * 1024 * 1024


class Findings:
    """What was proven, what is wrong (path, message), what is missing."""

    def __init__(self):
        self.proven, self.problems, self.missing = [], [], []

    def problem(self, path, message):
        self.problems.append((path, message))

    def verdict(self):
        if self.problems:
            return "invalid"
        return "valid" if self.proven and not self.missing else "indeterminate"


# -- JSON as JavaScript reads and writes it


MAX_DEPTH = 1_000


def parse(text):
    """JSON that has one reading: every number is a double, no name stands twice, no text has half a character."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if text.startswith("\ufeff"):
        raise ValueError("it begins with a byte order mark")
    value = json.loads(
        text, parse_int=_double, parse_float=_double, parse_constant=_no, object_pairs_hook=_once
    )
    _check_texts(value)
    return value


def parse_as_ledger(text):
    """What the ledger's own `JSON.parse` makes of a text, which takes more than evidence may hold."""
    return json.loads(text, parse_int=float, parse_float=float, parse_constant=_no)


def _no(name):
    raise ValueError(f"{name} is not JSON")


def _double(text):
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is larger than any number that JSON readers share")
    return value


def _once(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a name stands twice in one object")
    return dict(pairs)


def _check_texts(value):
    """Without recursion: a deep text must not break the verifier."""
    rest = [(value, 0)]
    while rest:
        item, depth = rest.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        if isinstance(item, str) and re.search("[\ud800-\udfff]", item):
            raise ValueError("a text has half a character (a lone surrogate)")
        if isinstance(item, list):
            rest.extend((each, depth + 1) for each in item)
        if isinstance(item, dict):
            rest.extend((name, depth) for name in item)
            rest.extend((each, depth + 1) for each in item.values())


def number(value):
    """ECMAScript's Number::toString, which RFC 8785 prescribes; a number too large for a double becomes null there."""
    if math.isinf(value):
        return "null"
    if value == 0:
        return "0"
    sign, value = ("-", -value) if value < 0 else ("", value)
    mantissa, _, exponent = f"{value!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        text = digits + "0" * (point - count)
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        power = point - 1
        text = f"{digits[0]}{'.' + digits[1:] if count > 1 else ''}e{'+' if power > 0 else '-'}{abs(power)}"
    return sign + text


def string(value):
    """JSON.stringify of text: only what must be escaped is; lone surrogates become escapes."""
    quoted = json.dumps(value, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found.group()):04x}", quoted)


def write(value, keys_of):
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return string(value)
    if isinstance(value, (int, float)):
        return number(float(value))
    if isinstance(value, list):
        return f"[{','.join(write(item, keys_of) for item in value)}]"
    return f"{{{','.join(f'{string(key)}:{write(value[key], keys_of)}' for key in keys_of(value))}}}"


def utf16(key):
    return key.encode("utf-16-be", "surrogatepass")


def canonical(value):
    """RFC 8785: keys by UTF-16 code units at every depth."""
    return write(value, lambda members: sorted(members, key=utf16))


def javascript_order(keys):
    """Integer-like keys first, ascending; the others in the order of the text."""
    keys = list(keys)
    indices = [key for key in keys if re.fullmatch("0|[1-9][0-9]{0,9}", key) and int(key) < 2**32 - 1]
    return sorted(indices, key=int) + [key for key in keys if key not in set(indices)]


def ledger_form(value):
    """What the ledger hashes: keys of the top level sorted, everything below in the order of the received text."""
    top = {key: value[key] for key in sorted(value, key=utf16) if key != "__proto__"}
    return write(top, javascript_order)


def sha256(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def prefixed(text):
    return f"sha256:{sha256(text)}"


def record_hash(previous, input_hash, output_hash, context_hash):
    return sha256(f"{previous or ''}{input_hash}{output_hash}{context_hash or ''}")


def is_hash(value):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def is_prefixed(value):
    return isinstance(value, str) and value.startswith("sha256:") and is_hash(value[7:])


# -- signatures


def der_of(pem):
    body = re.sub(r"-----(BEGIN|END) [A-Z ]+-----|\s", "", pem)
    return base64.b64decode(body, validate=True)


def der_parts(data):
    """The members of a DER sequence as (tag, content)."""
    parts, place = [], 0
    while place < len(data):
        tag, length = data[place], data[place + 1]
        place += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[place : place + size], "big")
            place += size
        parts.append((tag, data[place : place + length]))
        place += length
    return parts


def key_bits(pem):
    """The bits of a SubjectPublicKeyInfo."""
    [(_, info)] = der_parts(der_of(pem))
    return der_parts(info)[1][1][1:]


def rsa_verifies(pem, signature, message):
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.2)."""
    [(_, sequence)] = der_parts(key_bits(pem))
    modulus, exponent = (int.from_bytes(content, "big") for _, content in der_parts(sequence))
    size = (modulus.bit_length() + 7) // 8
    if len(signature) != size or int.from_bytes(signature, "big") >= modulus:
        return False
    prefix = bytes.fromhex("3031300d060960864801650304020105000420")
    expected = prefix + hashlib.sha256(message).digest()
    padded = b"\x00\x01" + b"\xff" * (size - len(expected) - 3) + b"\x00" + expected
    return pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big") == padded


P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
BASE_Y = 4 * pow(5, P - 2, P) % P


def recover_x(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def extended(x, y):
    return (x, y, 1, x * y % P)


def add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = recover_x(y, sign)
    return None if x is None else extended(x, y)


def ed25519_verifies(pem, signature, message):
    """RFC 8032, 5.1.7."""
    key = key_bits(pem)
    if len(signature) != 64 or len(key) != 32:
        return False
    point, commitment = decompress(key), decompress(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or commitment is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left = multiply(scalar, extended(recover_x(BASE_Y, 0), BASE_Y))
    right = add(commitment, multiply(challenge, point))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    return same_x and (left[1] * right[2] - right[1] * left[2]) % P == 0


def decode_base64(text):
    """RFC 4648, section 4: with its padding and nothing else; no bytes for anything else."""
    try:
        data = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if base64.b64encode(data).decode() == text else b""


def pre_authentication_encoding(payload):
    """DSSE, protocol v1."""
    body = payload.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(body), body)


# -- what stands in a record


def member(value, *names):
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def check_commitment(payload, found):
    """The commitment of a payload, once it is known to cover it; None where there is none to be had."""
    evidence = member(payload["context"], EVIDENCE)
    if evidence is None:
        return None
    commitment = member(evidence, "commitment")
    version, algorithm = member(commitment, "version"), member(commitment, "algorithm")
    if not isinstance(commitment, dict) or not isinstance(version, float) or not isinstance(algorithm, str):
        found.problem(f"context.{EVIDENCE}", "there is evidence without a commitment")
        return None
    if version != 1 or algorithm != "sha256":
        found.missing.append(f"a verifier for commitments of version {number(version)} ({algorithm})")
        return None
    rest = {key: value for key, value in payload["context"].items() if key != EVIDENCE}
    bound = canonical(
        {
            "context": prefixed(canonical(rest)),
            "decision": commitment.get("decision"),
            "input": prefixed(canonical(payload["input"])),
            "output": prefixed(canonical(payload["output"])),
        }
    )
    if sha256(bound) != commitment.get("decisionHash"):
        found.problem("context.xase_evidence.commitment.decisionHash", "the commitment was made over something else")
    else:
        found.proven.append("the commitment covers this input, output, context and decision")
    return evidence


FIELDS = {
    "policyId": "policy_id",
    "policyVersion": "policy_version",
    "decisionType": "decision_type",
    "confidence": "confidence",
    "processingTime": "processing_time",
}


def check_fields(stored, decision, found):
    wrong = 0
    for name, stored_name in FIELDS.items():
        ours, theirs = member(decision, name), member(stored, stored_name)
        if ours == theirs:
            continue
        if name == "policyVersion" and ours is None:
            found.missing.append("who set policyVersion, which was not sent")
            continue
        wrong += 1
        found.problem(name, f"{name} is {json.dumps(theirs)} in the ledger, but {json.dumps(ours)} was recorded")
    if wrong == 0:
        found.proven.append("policy, type, confidence and processing time are what was recorded")


def time_of(text):
    if not isinstance(text, str) or not TIME.fullmatch(text):
        raise ValueError("a time is ISO 8601 with its offset, such as 2026-11-25T00:00:00Z")
    whole, _, rest = text.replace("Z", "+00:00").partition(".")
    digits = re.match(r"\d*", rest).group()
    moment = datetime.datetime.fromisoformat(whole + rest[len(digits) :])
    return moment.timestamp() * 1000 + (int((digits + "000")[:3]) if digits else 0)


def check_signature(evidence, trust, found):
    signature = member(evidence, "signature")
    if signature is None:
        if trust.get("requireSignature"):
            found.problem("signature", "the commitment is not signed")
        return
    key_id = member(signature, "keyId")
    key = next((key for key in trust.get("keys", []) if key["keyId"] == key_id), None)
    if key is None:
        found.missing.append(f"the key {key_id} in the trust policy")
        return
    recorded = member(evidence, "commitment", "decision", "recordedAt")
    if ("validFrom" in key and recorded < time_of(key["validFrom"])) or (
        "validUntil" in key and recorded >= time_of(key["validUntil"])
    ):
        found.problem("signature.keyId", f"the key {key_id} was not valid then")
    message = pre_authentication_encoding(canonical(evidence["commitment"]))
    if ed25519_verifies(key["publicKeyPem"], decode_base64(member(signature, "signature")), message):
        found.proven.append(f"signed by {key_id}")
    else:
        found.problem("signature.signature", f"the signature is not one of {key_id}")


# -- bundles


def read_zip(data):
    """The members, of an archive that everybody reads alike: one directory, no gaps, no strangers, no twins."""
    names = re.compile(r"decision\.json|proof\.json|verify\.js|payloads/((input|output|context)\.json)?")
    if data[-22:-18] != b"PK\x05\x06" or data[-2:] != b"\0\0":
        raise ValueError("it does not end with a directory of its own")
    count, size, offset = struct.unpack("<HII", data[-12:-2])
    if offset + size != len(data) - 22:
        raise ValueError("there is something between its directory and its end")
    files, total, covered = {}, 0, 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if len(entries) != count or count > 16:
            raise ValueError("its directory has another number of members than it says")
        for entry in sorted(entries, key=lambda one: one.header_offset):
            if not names.fullmatch(entry.filename) or entry.filename in files or entry.flag_bits & ~0x080E:
                raise ValueError(f"{entry.filename} is no part of a proof bundle, or stands twice")
            total += entry.file_size
            if total > MAX_FILE_BYTES:
                raise ValueError("its members are larger than is read")
            covered = _end_of(data, entry, covered)
            files[entry.filename] = archive.read(entry).decode("utf-8")
    if covered != offset:
        raise ValueError("there is something between its members and its directory")
    return files


def _end_of(data, entry, start):
    """Where a member ends, once its own header says what the directory says."""
    if entry.header_offset != start or data[start : start + 4] != b"PK\x03\x04":
        raise ValueError("there is something beside its members")
    _, _, flags, method, _, _, crc, packed, size, name_size, extra_size = struct.unpack("<IHHHHHIIIHH", data[start : start + 30])
    said, expected = (crc, packed, size), (entry.CRC, entry.compress_size, entry.file_size)
    later = flags & 8 and said == (0, 0, 0)
    if (flags, method) != (entry.flag_bits, entry.compress_type) or not (later or said == expected):
        raise ValueError(f"{entry.filename} says one thing in the directory and another in its own header")
    end = start + 30 + name_size + extra_size + entry.compress_size
    if flags & 8:
        end += 4 if data[end : end + 4] == b"PK\x07\x08" else 0
        if struct.unpack("<III", data[end : end + 12]) != expected:
            raise ValueError(f"{entry.filename} has a descriptor that differs from the directory")
        end += 12
    return end


# -- trust policies


TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})")


def read_trust(data):
    """The policy of a file; refuses what it does not know, so that no restriction is passed over."""
    trust = parse(data)
    if not isinstance(trust, dict) or trust.get("version") != 1 or not isinstance(trust.get("keys"), list):
        raise ValueError("a trust policy is an object with version 1 and keys")
    _only(trust, "the trust policy", {"version", "keys", "ledgerKeys", "requireSignature"})
    if not isinstance(trust.get("requireSignature", False), bool):
        raise ValueError("requireSignature must be true or false")
    pems = trust.get("ledgerKeys", [])
    if not isinstance(pems, list) or not all(_is_pem(pem) for pem in pems):
        raise ValueError("ledgerKeys must be an array of public keys in PEM")
    for key in trust["keys"]:
        if not isinstance(key, dict) or not isinstance(key.get("keyId"), str) or not key["keyId"]:
            raise ValueError("a key is an object with keyId and publicKeyPem")
        _only(key, key["keyId"], {"keyId", "publicKeyPem", "validFrom", "validUntil"})
        if not _is_pem(key.get("publicKeyPem")):
            raise ValueError(f"{key['keyId']}: publicKeyPem must be a public key in PEM")
        times = [time_of(key[name]) for name in ("validFrom", "validUntil") if name in key]
        if len(times) == 2 and times[1] <= times[0]:
            raise ValueError(f"{key['keyId']}: validUntil must be later than validFrom")
    ids = [key["keyId"] for key in trust["keys"]]
    if len(set(ids)) < len(ids):
        raise ValueError("two keys have the same keyId")
    return trust


def _is_pem(value):
    return isinstance(value, str) and bool(
        re.fullmatch(r"-----BEGIN PUBLIC KEY-----[\s\S]+-----END PUBLIC KEY-----\s*", value)
    )


def _only(value, what, known):
    strangers = sorted(set(value) - known)
    if strangers:
        raise ValueError(f"{what} has members that are not known: {', '.join(strangers)}")


def verify_bundle(data, trust):
    found = Findings()
    try:
        files = read_zip(data)
        text = files["decision.json"]
        manifest, proof = parse(text), parse(files["proof.json"])
        parts = {name: parse(files[f"payloads/{name}.json"]) for name in ("input", "output", "context") if f"payloads/{name}.json" in files}
    except (KeyError, ValueError, zipfile.BadZipFile, RecursionError, struct.error) as error:
        found.problem("", f"this is no proof bundle: {error}")
        return found
    hashes = member(manifest, "hashes")
    check_digest(text, proof, found)
    check_hashes(hashes, proof, found)
    check_ledger_signature(text, proof, trust.get("ledgerKeys", []), found)
    if "input" not in parts or "output" not in parts:
        found.missing.append("the payload, which the ledger does not keep or was not asked for")
        return found
    if member(hashes, "context_hash") is not None and "context" not in parts:
        found.problem("context", "the context that the hashes name was taken out")
    for name, part in parts.items():
        if prefixed(ledger_form(part)) != member(hashes, f"{name}_hash"):
            found.problem(name, f"the {name} is not the one that was recorded")
    parts.setdefault("context", {})
    evidence = check_commitment(parts, found)
    if evidence is None:
        found.missing.append("policy, type and confidence as they were sent")
    else:
        check_fields(member(manifest, "record"), evidence["commitment"]["decision"], found)
        check_signature(evidence, trust, found)
    return found


def check_digest(text, proof, found):
    if sha256(text) == member(proof, "hash"):
        found.proven.append("decision.json has the hash of the proof")
    else:
        found.problem("decision.json", "it does not have the hash of the proof")


def check_hashes(hashes, proof, found):
    parts = [member(hashes, name) for name in ("previous_hash", "input_hash", "output_hash", "context_hash")]
    previous, inner, context = parts[0], parts[1:3], parts[3]
    if not all(is_prefixed(part) for part in inner) or not (context is None or is_prefixed(context)):
        found.problem("hashes", "its hashes are missing or no hashes")
    elif record_hash(*parts) != member(hashes, "record_hash"):
        found.problem("hashes.record_hash", "it is not made of its parts")
    else:
        found.proven.append("the record hash is made of its parts")
    for name, value in (("record_hash", member(hashes, "record_hash")), ("previous_hash", previous)):
        if member(proof, name) != value:
            found.problem(f"proof.{name}", f"{name} is another one in the proof")


def check_ledger_signature(text, proof, keys, found):
    if not keys:
        found.missing.append("a public key of the ledger that you trust (the one inside the bundle proves nothing)")
        return
    signature = decode_base64(member(proof, "signature"))
    digest = bytes.fromhex(sha256(text))
    if any(rsa_verifies(key, signature, digest) for key in keys):
        found.proven.append("signed by a key of the ledger that you trust")
    else:
        found.problem("proof.signature", "it is not the signature of a ledger key that you trust")


# -- reports


def is_record(value):
    if not isinstance(value, list) or len(value) != 6 or not isinstance(value[0], str) or not is_hash(value[5]):
        return False
    return (value[1] is None or is_hash(value[1])) and all(part is None or is_prefixed(part) for part in value[2:5])


def verify_report(report):
    found = Findings()
    if member(report, "format") != "xase-audit-report":
        found.problem("format", "this is not an audit report")
        return found
    if report.get("version") != 1:
        found.missing.append(f"a verifier for reports of version {report.get('version')}")
        return found
    records = report.get("records")
    if not isinstance(records, list) or not all(is_record(record) for record in records):
        found.problem("records", "its records are missing or malformed")
        return found
    unknown = 0
    for index, (identifier, previous, inner, outer, context, own) in enumerate(records):
        if inner is None or outer is None:
            unknown += 1
        elif record_hash(previous, inner, outer, context) != own:
            found.problem("record_hash", f"{identifier} is not made of what was sent")
        older = records[index + 1][5] if index + 1 < len(records) else None
        if older != previous:
            found.problem("chain.previous_hash", f"{identifier} does not follow the record before it")
    head = report.get("head")
    newest = {"recordHash": records[0][5], "transactionId": records[0][0]} if records else None
    if head is not None and records:
        head = {"recordHash": member(head, "recordHash"), "transactionId": member(head, "transactionId")}
    if head != newest:
        found.problem("head", "its head is not its newest record")
    repeat_verdict(report, found)
    if member(report, "counts", "records") != len(records):
        found.problem("counts.records", "it says another number of records than it lists")
    if unknown:
        found.missing.append(f"the hashes of what was sent for {unknown} of {len(records)} records")
    if not records:
        found.missing.append("a record: the report lists none")
    elif not found.problems:
        found.proven.append(f"{len(records)} records follow each other by their hashes")
    return found


def repeat_verdict(report, found):
    """A report is no better than what its audit found: its own verdict and problems count."""
    verdict, problems, missing = report.get("verdict"), report.get("problems"), report.get("missing")
    if not isinstance(problems, list) or not isinstance(missing, list):
        found.problem("problems", "its findings are missing")
    elif verdict == "invalid" or problems or member(report, "counts", "invalid") != 0:
        found.problem("verdict", f"the audit found the ledger invalid: {report.get('sentence')}")
    elif verdict == "indeterminate" or missing or member(report, "counts", "indeterminate") != 0:
        found.missing.append(f"what the audit could not prove ({report.get('sentence')})")
    elif verdict != "valid":
        found.problem("verdict", "it has no verdict")


# -- vectors


def vector_failures(vectors):
    """Every case of the published vectors on which this verifier says something else."""
    for case in vectors.get("canonicalization", []):
        value = parse_as_ledger(case["value_json"])
        # Only objects become evidence; the ledger's function takes other values too.
        if isinstance(value, dict) and prefixed(ledger_form(value)) != case["hash"]:
            yield f"canonicalization {case['name']}"
    for case in vectors.get("records", []):
        hashes = [
            None if case[f"{part}_json"] is None else prefixed(ledger_form(parse_as_ledger(case[f"{part}_json"])))
            for part in ("input", "output", "context")
        ]
        if record_hash(case["previous_hash"], *hashes) != case["record_hash"]:
            yield f"record {case['name']}"
    for case in vectors.get("bundles", []):
        yield from disagreement("bundle", case, verify_bundle(base64.b64decode(case["zip"]), case["trust"]))
    for case in vectors.get("reports", []):
        yield from disagreement("report", case, verify_report(case["report"]))


def disagreement(kind, case, found):
    paths = [path for path, _ in found.problems]
    if found.verdict() != case["verdict"] or ("path" in case and case["path"] not in paths):
        yield f"{kind} {case['name']}: {found.verdict()} {found.problems} {found.missing}"


# -- the command


def show(name, found):
    print(f"{found.verdict().upper()}  {name}")
    for path, message in found.problems:
        print(f"  wrong    {path}: {message}")
    for what in found.missing:
        print(f"  missing  {what}")
    for what in found.proven:
        print(f"  proven   {what}")
    return EXIT_CODES[found.verdict()]


EXIT_CODES = {"valid": 0, "invalid": 1, "indeterminate": 3}


def worst(codes):
    """Invalid before not proven before valid."""
    return next(code for code in (1, 3, 0) if code in codes)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def run(arguments):
    command, paths, trust = arguments[0], arguments[1:], {}
    if "--trust" in paths:
        place = paths.index("--trust")
        trust = read_trust(read(paths[place + 1]))
        del paths[place : place + 2]
    if command == "bundle":
        return worst([show(path, checked(verify_bundle, read(path), trust)) for path in paths])
    if command == "report":
        return worst([show(path, checked(lambda data: verify_report(parse(data)), read(path))) for path in paths])
    failures, cases = [], 0
    for path in paths:
        vectors = json.loads(read(path))
        cases += sum(len(vectors.get(kind, [])) for kind in ("canonicalization", "records", "bundles", "reports"))
        failures += vector_failures(vectors)
    print("\n".join(failures + [f"{cases} cases, {len(failures)} disagreements"]))
    return 1 if failures else 0


def checked(verify, *arguments):
    """Evidence that cannot be read is a finding and never a traceback."""
    try:
        return verify(*arguments)
    except Exception as error:
        found = Findings()
        found.problem("", f"this cannot be read: {error}")
        return found


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("bundle", "report", "vectors"):
        print(__doc__)
        sys.exit(2)
    try:
        sys.exit(run(sys.argv[1:]))
    except (OSError, ValueError, IndexError, RecursionError) as error:
        print(f"verify.py: {error}", file=sys.stderr)
        sys.exit(2)
