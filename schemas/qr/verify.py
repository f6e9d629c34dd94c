"""Judges texts of license QR codes, one a line of the input: verify.py license-keys.json < texts"""
import base64, datetime, hashlib, json, sys, uuid
P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # RFC 8032
D = -121665 * pow(121666, -1, P) % P
def add(a, b):
    t = D * a[0] * b[0] * a[1] * b[1]
    return (a[0] * b[1] + b[0] * a[1]) * pow(1 + t, -1, P) % P, (a[1] * b[1] + a[0] * b[0]) * pow(1 - t, -1, P) % P
def times(n, a):
    return (0, 1) if n == 0 else add(times(n - 1, a), a) if n % 2 else times(n // 2, add(a, a))
def point(octets):
    sign, y = divmod(int.from_bytes(octets, "little"), 2**255)
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    x = x if x * x % P == xx else x * pow(2, (P - 1) // 4, P) % P
    return (x if x % 2 == sign else P - x, y) if x * x % P == xx else (0, 0)
def signed(message, signature, key):
    r, a, s = point(signature[:32]), point(key), int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little")
    return s < Q and times(s, point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))) == add(r, times(h % Q, a))
def base45(text):
    digits = [["0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".index(c) for c in text[i:i + 3]] for i in range(0, len(text), 3)]
    return b"".join(sum(v * 45**k for k, v in enumerate(d)).to_bytes(len(d) - 1 or 1 / 0, "big") for d in digits)
def judge(text, keys):
    if len(text) > 400 or text[:4] != "BL1:": return "too_long" if len(text) > 400 else "wrong_prefix", None
    try:
        data = base45(text[4:])
        if data[0] != 1: return "unknown_version", None
        b, signature = data[:-64], data[-64:]
        n = lambda at, end: int.from_bytes(b[at:end], "big")
        day = lambda year, days: str(datetime.date(year, 1, 1) + datetime.timedelta(days))
        says = dict(license_id=str(uuid.UUID(bytes=b[3:19])), license_type=b[19:23].hex(), club=b[23:27].hex(), first_day=day(1970, n(27, 29)), days=b[29], birth_date=day(1900, n(30, 32)), vehicle=b[32:36].hex(), name=b[37:].decode())
        if len(b) != 37 + b[36] or b[36] > 43 or b[29] == 0: return "malformed", None
    except (ValueError, OverflowError, IndexError, ZeroDivisionError): return "malformed", None
    key = next((key for key in keys if key["kid"] == n(1, 3)), None)
    if not key: return "unknown_key", None
    if not signed(b"BL1:" + b, signature, base64.urlsafe_b64decode(key["public_key"] + "=")): return "bad_signature", None
    valid = key["not_before"][:10] <= day(1970, n(27, 29) + b[29] - 1) and says["first_day"] <= key["not_after"][:10]
    return ("valid", says) if valid else ("key_not_valid", None)
for line in sys.stdin.buffer.read().decode().split("\n")[:-1]:
    print(*(json.dumps(part) for part in judge(line, json.load(open(sys.argv[1]))["keys"]) if part))
