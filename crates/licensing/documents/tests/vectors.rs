//! `schemas/qr`: the test vectors are as committed, and the verifiers there, which are written for other programs, judge
//! them as this crate does.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use documents::qr::{Payload, PublicKey, SigningKey, judge, sign};
use serde_json::{Value, json};
use uuid::Uuid;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../schemas/qr")
}

/// Two keys that everyone knows: their secrets are 32 times 1 and 32 times 2.
fn keys() -> [(SigningKey, PublicKey); 2] {
    [
        (1, "2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z"),
        (2, "2026-06-01T00:00:00Z", "2028-12-31T23:59:59Z"),
    ]
    .map(|(id, not_before, not_after)| {
        let key = SigningKey::from_seed(id, &[u8::try_from(id).unwrap(); 32]).unwrap();
        let public = PublicKey {
            id,
            key: key.public(),
            not_before: not_before.parse().unwrap(),
            not_after: not_after.parse().unwrap(),
        };
        (key, public)
    })
}

fn payload() -> Payload {
    Payload {
        key_id: 1,
        license_id: Uuid::from_u128(0x0199_0a4e_5a3c_7cc2_9d1e_0a7b_6c5d_4e3f),
        license_type: documents::qr::short_hash(b"konkurranse-bilcross"),
        club: documents::qr::short_hash(Uuid::from_u128(7).as_bytes()),
        first_day: "2026-06-06".parse().unwrap(),
        days: 2,
        birth_date: "1990-05-17".parse().unwrap(),
        vehicle: documents::qr::short_hash(b"EK12345"),
        name: "Kari Øvergård".into(),
    }
}

/// A name and a text for each.
fn texts() -> Vec<(&'static str, String)> {
    let [(first, _), (second, _)] = keys();
    let of = |payload: &Payload, key: &SigningKey| sign(payload, key).unwrap();
    let good = of(&payload(), &first);
    let bytes = base45::decode(&good[4..]).unwrap();
    let altered = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        format!("BL1:{}", base45::encode(bytes))
    };
    let later = |day: &str, days: u8| Payload {
        first_day: day.parse().unwrap(),
        days,
        ..payload()
    };
    let named = |name: &str| Payload {
        name: name.into(),
        vehicle: [0; 4],
        ..payload()
    };
    let stranger = SigningKey::from_seed(1, &[9; 32]).unwrap();
    vec![
        ("good", good.clone()),
        ("good under the second key", of(&payload(), &second)),
        (
            "without a vehicle, with a name that is cut",
            of(&named(&"Ærlig Ødegård ".repeat(5)), &first),
        ),
        (
            "with a name that begins with a byte order mark",
            of(&named("\u{feff}李小龍"), &first),
        ),
        ("with an empty name", of(&named(""), &first)),
        (
            "signed by a key that is not the one it names",
            of(&payload(), &stranger),
        ),
        (
            "under a key that is not in the list",
            altered(&|bytes| bytes[2] = 9),
        ),
        ("with another day", altered(&|bytes| bytes[28] += 1)),
        ("with another name", altered(&|bytes| bytes[37] = b'M')),
        (
            "with another signature",
            altered(&|bytes| *bytes.last_mut().unwrap() ^= 1),
        ),
        ("the last day of its key", of(&later("2026-12-31", 3), &first)),
        (
            "after the last day of its key",
            of(&later("2027-01-01", 1), &first),
        ),
        ("the first day of its key", of(&later("2026-05-31", 2), &second)),
        (
            "before the first day of its key",
            of(&later("2026-05-31", 1), &second),
        ),
        ("of another layout", altered(&|bytes| bytes[0] = 2)),
        ("with another prefix", good.replace("BL1:", "HC1:")),
        ("without a prefix", good[4..].to_owned()),
        ("empty", String::new()),
        ("with nothing after the prefix", "BL1:".into()),
        ("with one digit", "BL1:0".into()),
        ("in small letters", format!("BL1:{}", good[4..].to_lowercase())),
        ("cut off", good[..good.len() - 6].to_owned()),
        ("with a byte left over", altered(&|bytes| bytes.push(0))),
        ("with no days", altered(&|bytes| bytes[29] = 0)),
        ("with a name that is no UTF-8", altered(&|bytes| bytes[37] = 0xff)),
        ("with a group of digits above two bytes", "BL1:::::::".into()),
        ("with a last group above a byte", "BL1:000::".into()),
        ("of a version alone", format!("BL1:{}", base45::encode([1]))),
        ("of 400 characters", format!("BL1:{}", "0".repeat(396))),
        ("of 401 characters", format!("BL1:{}", "0".repeat(397))),
        ("of 401 characters of two bytes", "ø".repeat(401)),
    ]
}

fn verdict(text: &str) -> Vec<Value> {
    match judge(text, &keys().map(|(_, public)| public)) {
        Err(refusal) => vec![json!(refusal.to_string())],
        Ok(payload) => vec![
            json!("valid"),
            json!({
                "license_id": payload.license_id.to_string(), "license_type": hex(&payload.license_type),
                "club": hex(&payload.club), "first_day": payload.first_day.to_string(), "days": payload.days,
                "birth_date": payload.birth_date.to_string(), "vehicle": hex(&payload.vehicle), "name": payload.name,
            }),
        ],
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |all, byte| all + &format!("{byte:02x}"))
}

fn vectors() -> Value {
    let keys: Vec<Value> = keys()
        .iter()
        .map(|(_, key)| {
            json!({"kid": key.id, "public_key": base64url(&key.key), "not_before": key.not_before.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                   "not_after": key.not_after.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)})
        })
        .collect();
    let vectors: Vec<Value> = texts()
        .iter()
        .map(|(name, text)| {
            let verdict = verdict(text);
            json!({"name": name, "text": text, "verdict": verdict[0], "payload": verdict.get(1)})
        })
        .collect();
    json!({"keys": keys, "vectors": vectors})
}

#[test]
fn the_committed_vectors_are_those_of_this_crate() {
    let path = directory().join("vectors.json");
    let text = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "schemas/qr/vectors.json differs: UPDATE_SCHEMAS=1 cargo test -p documents committed"
    );
    let verdicts: BTreeSet<String> = texts()
        .iter()
        .map(|(_, text)| verdict(text)[0].to_string())
        .collect();
    assert_eq!(
        verdicts.len(),
        8,
        "one vector for each verdict at least: {verdicts:?}"
    );
}

#[test]
fn the_verifier_in_python_judges_the_vectors_as_we_do() {
    judges("python3", "verify.py");
}

#[test]
fn the_verifier_in_javascript_judges_the_vectors_as_we_do() {
    judges("node", "verify.mjs");
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn judges(program: &str, file: &str) {
    let script = std::fs::read_to_string(directory().join(file)).unwrap();
    assert!(script.lines().count() <= 40, "{file} is short enough to read");
    if Command::new(program).arg("--version").output().is_err() {
        eprintln!("NOT TESTED: no {program} for {file}");
        return;
    }
    let mut child = Command::new(program)
        .args([directory().join(file), directory().join("vectors.json")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input: String = texts().iter().map(|(_, text)| text.clone() + "\n").collect();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), texts().len());
    for (line, (name, text)) in said.lines().zip(texts()) {
        let parts: Vec<Value> = serde_json::Deserializer::from_str(line)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(parts, verdict(&text), "{program}: {name}");
    }
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
