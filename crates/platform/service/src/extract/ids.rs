//! Ids in JSON.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};

/// Visits an id. The library reads four spellings of a UUID; here it has one, with hyphens, in either case.
pub(super) struct Hyphenated<V>(pub(super) V);

/// Letters and hyphens of a UUID.
const UUID_LENGTH: usize = 36;

impl<'de, V: Visitor<'de>> Hyphenated<V> {
    fn check<E: Error>(&self, text: &str) -> Result<(), E> {
        if text.len() == UUID_LENGTH || !expects_uuid(&self.0) {
            return Ok(());
        }
        Err(E::invalid_value(Unexpected::Str(text), &self.0))
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Hyphenated<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.check(text)?;
        self.0.visit_str(text)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.check(text)?;
        self.0.visit_borrowed_str(text)
    }

    fn visit_string<E: Error>(self, text: String) -> Result<V::Value, E> {
        self.check(&text)?;
        self.0.visit_string(text)
    }
}

fn expects_uuid<'de>(visitor: &impl Visitor<'de>) -> bool {
    struct Expected<'a, V>(&'a V);

    impl<'de, V: Visitor<'de>> fmt::Display for Expected<'_, V> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.expecting(f)
        }
    }

    Expected(visitor).to_string().contains("UUID")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use uuid::Uuid;

    use crate::extract::Json;

    #[derive(Deserialize)]
    struct Named {
        id: Uuid,
    }

    fn read(text: &str) -> Option<Uuid> {
        let json = format!("{{\"id\": \"{text}\"}}");
        Json::<Named>::from_bytes(json.as_bytes())
            .ok()
            .map(|Json(named)| named.id)
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = Uuid::from_u128(0x0198_c5a2_7d1e_7000_8000_0000_0000_00ab);
        assert_eq!(read(&id.to_string()), Some(id));
        assert_eq!(read(&id.to_string().to_uppercase()), Some(id));
        for other in [
            id.simple().to_string(),
            id.braced().to_string(),
            id.urn().to_string(),
            "{".repeat(36),
        ] {
            assert_eq!(read(&other), None, "{other}");
        }
    }
}
