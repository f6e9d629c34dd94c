//! The capability in a return URL: its holder may read the number, status and total of one order for a while, without
//! login. A provider may send a customer back in another browser than the one that placed the order.
//!
//! A token is `1.{expiry}.{mac}`: the version of this format, the moment in seconds since 1970, and an HMAC-SHA256 over
//! format, order and moment in base 64. Nothing is stored, so every instance with the same key accepts it.

use std::path::PathBuf;

use anyhow::ensure;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use clap::Args;
use secret::Secret;
use uuid::Uuid;

/// Bytes of secret that HMAC-SHA256 deserves.
const MIN_SECRET_BYTES: usize = 32;
/// The version of the format. Another format gets another number, and another input of the MAC.
const FORMAT: &str = "1";
/// Separates these MACs from all others, should a key ever be used twice.
const PURPOSE: &[u8] = b"bilsport order return 1";
/// Longer than any token that was made here.
const MAX_TOKEN_BYTES: usize = 128;

/// The key's settings, the same for command-api, which makes tokens, and query-api, which checks them.
#[derive(Clone, Debug, Args)]
pub struct ReturnKeyOptions {
    /// Key of the capability in return URLs, 32 bytes or more, the same for command-api and query-api
    #[arg(long, env = "RETURN_KEY", hide_env_values = true, value_name = "KEY")]
    return_key: Option<Secret>,
    /// File that holds the key of return URLs
    #[arg(long, env = "RETURN_KEY_FILE", value_name = "FILE")]
    return_key_file: Option<PathBuf>,
}

impl ReturnKeyOptions {
    /// The key that was given; there is no default, since a known key signs anything.
    pub fn key(&self) -> anyhow::Result<ReturnKey> {
        let file = self.return_key_file.as_deref();
        let secret = Secret::required("return-key", self.return_key.as_ref(), file)?;
        ReturnKey::new(secret.expose().as_bytes())
    }
}

/// Makes and checks the tokens of return URLs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReturnKey {
    key: hmac::Key,
}

impl ReturnKey {
    /// With a secret of at least 32 bytes.
    pub fn new(secret: &[u8]) -> anyhow::Result<Self> {
        ensure!(
            secret.len() >= MIN_SECRET_BYTES,
            "--return-key has {} bytes and needs at least {MIN_SECRET_BYTES}",
            secret.len()
        );
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
        })
    }

    /// A token for this order until that moment. The same order and moment give the same token, so that a repeated request
    /// to a provider carries the same return URL.
    pub fn grant(&self, order_id: Uuid, until: DateTime<Utc>) -> String {
        let expiry = until.timestamp();
        let mac = hmac::sign(&self.key, &signed(order_id, expiry));
        format!("{FORMAT}.{expiry}.{}", URL_SAFE_NO_PAD.encode(mac.as_ref()))
    }

    /// Whether the token was made for this order and has not expired. The comparison takes the same time for every mac.
    pub fn allows(&self, order_id: Uuid, token: &str, now: DateTime<Utc>) -> bool {
        self.verified(order_id, token)
            .is_some_and(|expiry| now.timestamp() < expiry)
    }

    /// Another key that follows from this one, for a purpose that has no secret of its own.
    pub fn derived(&self, purpose: &[u8]) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&self.key, purpose).as_ref())
    }

    /// The expiry of a token that was made here for this order.
    fn verified(&self, order_id: Uuid, token: &str) -> Option<i64> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (expiry, mac) = token.strip_prefix(FORMAT)?.strip_prefix('.')?.split_once('.')?;
        let parsed: i64 = expiry.parse().ok()?;
        // In one spelling: `+1` and `01` are no numbers of ours.
        if parsed.to_string() != expiry {
            return None;
        }
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(&self.key, &signed(order_id, parsed), &mac).ok()?;
        Some(parsed)
    }
}

fn signed(order_id: Uuid, expiry: i64) -> Vec<u8> {
    [PURPOSE, order_id.as_bytes(), &expiry.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone as _, Utc};
    use uuid::Uuid;

    use super::ReturnKey;

    const SECRET: &[u8] = b"a secret of this test, 32 bytes or more";

    #[test]
    fn a_token_is_for_one_order_one_key_and_a_while() {
        let key = ReturnKey::new(SECRET).unwrap();
        let (order, now) = (
            Uuid::from_u128(7),
            Utc.with_ymd_and_hms(2026, 6, 1, 5, 40, 0).unwrap(),
        );
        let token = key.grant(order, now + TimeDelta::hours(24));
        assert_eq!(token, key.grant(order, now + TimeDelta::hours(24)));
        assert!(key.allows(order, &token, now));
        assert!(key.allows(order, &token, now + TimeDelta::hours(24) - TimeDelta::seconds(1)));
        assert!(!key.allows(order, &token, now + TimeDelta::hours(24)));
        assert!(!key.allows(Uuid::from_u128(8), &token, now));
        let other = ReturnKey::new(b"another secret, also 32 bytes or more").unwrap();
        assert!(!other.allows(order, &token, now));
    }

    #[test]
    fn a_changed_token_is_none() {
        let key = ReturnKey::new(SECRET).unwrap();
        let (order, now) = (Uuid::from_u128(7), Utc::now());
        let token = key.grant(order, now + TimeDelta::hours(24));
        let parts: Vec<&str> = token.split('.').collect();
        let later = (now + TimeDelta::days(30)).timestamp();
        for forged in [
            String::new(),
            "1".into(),
            "1..".into(),
            format!("2.{}.{}", parts[1], parts[2]),
            format!("1.{later}.{}", parts[2]),
            format!("1.+{}.{}", parts[1], parts[2]),
            format!("1.0{}.{}", parts[1], parts[2]),
            format!("1.{}.", parts[1]),
            format!("1.{}.{}", parts[1], &parts[2][1..]),
            format!("1.{}.{}A", parts[1], parts[2]),
            format!("{token}."),
            format!("{token}{}", "A".repeat(200)),
            token.to_uppercase(),
        ] {
            assert!(!key.allows(order, &forged, now), "{forged}");
        }
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] ^= 1;
            if let Ok(forged) = String::from_utf8(bytes) {
                assert!(!key.allows(order, &forged, now), "{forged}");
            }
        }
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(ReturnKey::new(&SECRET[..31]).is_err());
    }
}
