// Judges texts of license QR codes, one a line of the input: node verify.mjs license-keys.json < texts
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
function base45(text) {
  const bytes = [];
  for (let at = 0; at < text.length; at += 3) {
    const digits = [...text.slice(at, at + 3)].map((digit) => DIGITS.indexOf(digit));
    const value = digits.reduceRight((sum, digit) => sum * 45 + digit, 0);
    if (digits.length < 2 || digits.includes(-1) || value >= 256 ** (digits.length - 1)) return null;
    bytes.push(...(digits.length === 3 ? [value >> 8, value & 255] : [value]));
  }
  return Buffer.from(bytes);
}
const day = (year, days) => new Date(Date.UTC(year, 0, 1 + days)).toISOString().slice(0, 10);
function judge(text, keys) {
  if ([...text].length > 400) return ["too_long"];
  if (!text.startsWith("BL1:")) return ["wrong_prefix"];
  const data = base45(text.slice(4));
  if (!data?.length) return ["malformed"];
  if (data[0] !== 1) return ["unknown_version"];
  const b = data.subarray(0, -64);
  if (b.length !== 37 + b[36] || b[36] > 43 || b[29] === 0) return ["malformed"];
  const hex = (from, to) => b.toString("hex", from, to);
  const id = hex(3, 19).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  const says = { license_id: id, license_type: hex(19, 23), club: hex(23, 27), first_day: day(1970, b.readUInt16BE(27)),
    days: b[29], birth_date: day(1900, b.readUInt16BE(30)), vehicle: hex(32, 36) };
  try { says.name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(b.subarray(37)); } catch { return ["malformed"]; }
  const key = keys.find((key) => key.kid === b.readUInt16BE(1));
  if (!key) return ["unknown_key"];
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(key.public_key, "base64url")]);
  const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
  if (!verify(null, Buffer.concat([Buffer.from("BL1:"), b]), publicKey, data.subarray(-64))) return ["bad_signature"];
  const last = day(1970, b.readUInt16BE(27) + b[29] - 1);
  return key.not_before.slice(0, 10) <= last && says.first_day <= key.not_after.slice(0, 10) ? ["valid", says] : ["key_not_valid"];
}
const { keys } = JSON.parse(readFileSync(process.argv[2], "utf8"));
for (const text of readFileSync(0, "utf8").split("\n").slice(0, -1)) console.log(...judge(text, keys).map((part) => JSON.stringify(part)));
