//! What was granted and may still be used: codes, once and for a minute, and refresh tokens, each once and as one family.
//! A code or a refresh token that comes twice may be stolen, so it ends the family of its login.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};

use super::people::Person;
use crate::secrets::random_hex;

/// How long what the issuer hands out can be used.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// A code, from the login to its exchange.
    pub code: TimeDelta,
    /// An access token.
    pub access: TimeDelta,
    /// All refresh tokens of a login.
    pub refresh: TimeDelta,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            code: TimeDelta::seconds(60),
            access: TimeDelta::minutes(10),
            refresh: TimeDelta::hours(12),
        }
    }
}

/// What a login was asked for with.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    /// The digest of the client's secret (RFC 7636).
    pub(super) challenge: String,
    pub(super) nonce: Option<String>,
}

/// What a code or a refresh token was good for.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) person: &'static Person,
    pub(super) client_id: String,
    pub(super) nonce: Option<String>,
    /// The next refresh token.
    pub(super) refresh_token: String,
}

/// It is not good, and the issuer does not say why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotGranted;

struct Code {
    wanted: Wanted,
    person: &'static Person,
    ends: DateTime<Utc>,
    /// The family that it began, once used.
    used_for: Option<String>,
}

struct Family {
    client_id: String,
    person: &'static Person,
    /// The one that is good.
    refresh_token: String,
    ends: DateTime<Utc>,
}

/// All of it, in memory: a restart ends every login.
#[derive(Default)]
pub(super) struct Grants {
    pub(super) lifetimes: Lifetimes,
    codes: HashMap<String, Code>,
    families: HashMap<String, Family>,
}

impl Grants {
    /// A code for a person who has logged in.
    pub(super) fn code(&mut self, wanted: Wanted, person: &'static Person) -> anyhow::Result<String> {
        let now = Utc::now();
        // Used codes are remembered for as long as their families.
        let kept = self.lifetimes.refresh.max(self.lifetimes.code);
        self.codes.retain(|_, code| now < code.ends + kept);
        self.families.retain(|_, family| now < family.ends);
        let code = random_hex()?;
        let granted = Code {
            wanted,
            person,
            ends: now + self.lifetimes.code,
            used_for: None,
        };
        self.codes.insert(code.clone(), granted);
        Ok(code)
    }

    /// Takes a code. Whatever is wrong with it, it is used then.
    pub(super) fn redeem(
        &mut self,
        code: &str,
        (client_id, redirect_uri): (&str, &str),
        verifier: &str,
    ) -> anyhow::Result<Result<Granted, NotGranted>> {
        let family = random_hex()?;
        let refresh_token = refresh_token(&family)?;
        let Some(granted) = self.codes.get_mut(code) else {
            return Ok(Err(NotGranted));
        };
        if let Some(stolen) = granted.used_for.replace(family.clone()) {
            self.families.remove(&stolen);
            return Ok(Err(NotGranted));
        }
        let wanted = &granted.wanted;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let is_good = Utc::now() < granted.ends
            && wanted.client_id == client_id
            && wanted.redirect_uri == redirect_uri
            && wanted.challenge == challenge;
        if !is_good {
            return Ok(Err(NotGranted));
        }
        let begun = Family {
            client_id: client_id.to_owned(),
            person: granted.person,
            refresh_token: refresh_token.clone(),
            ends: Utc::now() + self.lifetimes.refresh,
        };
        let answer = Granted {
            person: granted.person,
            client_id: client_id.to_owned(),
            nonce: wanted.nonce.clone(),
            refresh_token,
        };
        self.families.insert(family, begun);
        Ok(Ok(answer))
    }

    /// Takes a refresh token and grants the next one.
    pub(super) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
    ) -> anyhow::Result<Result<Granted, NotGranted>> {
        let (name, _) = token.split_once('.').unwrap_or_default();
        let next = refresh_token(name)?;
        let Some(family) = self.families.get_mut(name) else {
            return Ok(Err(NotGranted));
        };
        if family.client_id != client_id {
            return Ok(Err(NotGranted));
        }
        if family.refresh_token != token || family.ends <= Utc::now() {
            self.families.remove(name);
            return Ok(Err(NotGranted));
        }
        family.refresh_token.clone_from(&next);
        Ok(Ok(Granted {
            person: family.person,
            client_id: client_id.to_owned(),
            nonce: None,
            refresh_token: next,
        }))
    }

    /// Ends the login that a refresh token belongs to, an old one as well.
    pub(super) fn end(&mut self, token: &str) {
        let (name, _) = token.split_once('.').unwrap_or_default();
        self.families.remove(name);
    }
}

/// Of a family, by its name.
fn refresh_token(family: &str) -> anyhow::Result<String> {
    Ok(format!("{family}.{}", random_hex()?))
}
