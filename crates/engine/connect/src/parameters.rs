//! The parameters of a database URL, in either form that PostgreSQL knows: `postgres://…?name=value` and
//! `name=value name='another value'`. What concerns TLS is taken out of it, since tokio-postgres refuses the names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use percent_encoding::percent_decode_str;

/// Parameters that are read here; tokio-postgres knows only `sslmode`, and of that only three values.
const OURS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// A URL in two parts.
pub(crate) struct Parameters {
    /// Without the parameters that are ours.
    pub(crate) rest: String,
    /// Those.
    pub(crate) ours: BTreeMap<&'static str, String>,
    /// The names of all others.
    pub(crate) others: Vec<String>,
}

impl Parameters {
    /// Takes a URL apart. `None` when it cannot be one; what exactly is wrong is tokio-postgres's to say, of the whole.
    pub(crate) fn of(url: &str) -> Option<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Some(Self::of_url(url))
        } else {
            Self::of_words(url)
        }
    }

    fn of_url(url: &str) -> Self {
        let mut parameters = Self::empty();
        // A password may hold a question mark.
        let credentials = url.find('@').unwrap_or_default();
        let Some(question) = url[credentials..].find('?').map(|at| credentials + at) else {
            url.clone_into(&mut parameters.rest);
            return parameters;
        };
        let mut query = Vec::new();
        for pair in url[question + 1..].split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let [name, value] = [name, value].map(|part| percent_decode_str(part).decode_utf8_lossy());
            if !parameters.take(&name, &value) {
                query.push(pair);
            }
        }
        url[..question].clone_into(&mut parameters.rest);
        if !query.is_empty() {
            parameters.rest.push('?');
            parameters.rest += &query.join("&");
        }
        parameters
    }

    fn of_words(text: &str) -> Option<Self> {
        let mut parameters = Self::empty();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (name, after) = (name.trim_end(), after.trim_start());
            if name.is_empty() || name.contains(char::is_whitespace) {
                return None;
            }
            let (value, after) = word(after)?;
            if !parameters.take(name, &value) {
                let quoted = value.replace('\\', r"\\").replace('\'', r"\'");
                // Writing to a string cannot fail.
                let _ = write!(parameters.rest, "{name}='{quoted}' ");
            }
            rest = after.trim_start();
        }
        Some(parameters)
    }

    fn empty() -> Self {
        Self {
            rest: String::new(),
            ours: BTreeMap::new(),
            others: Vec::new(),
        }
    }

    /// Keeps the parameter if it is ours. Of two with one name the later counts.
    fn take(&mut self, name: &str, value: &str) -> bool {
        if let Some(ours) = OURS.into_iter().find(|ours| *ours == name) {
            self.ours.insert(ours, value.to_owned());
            return true;
        }
        self.others.push(name.to_owned());
        false
    }
}

/// The value that a text begins with, quoted or not, and what follows it.
fn word(text: &str) -> Option<(String, &str)> {
    let (mut value, quoted) = (String::new(), text.starts_with('\''));
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            _ if !quoted && character.is_whitespace() => return Some((value, &text[at..])),
            _ => value.push(character),
        }
    }
    (!quoted).then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn what_concerns_tls_is_taken_out_of_either_form_and_the_rest_is_kept() {
        for (url, rest, root, others) in [
            ("postgres://a:b@c:1/d", "postgres://a:b@c:1/d", None, 0),
            (
                "postgres://a:b@c,e:2/d?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fa%20b",
                "postgres://a:b@c,e:2/d?connect_timeout=3",
                Some("/a b"),
                1,
            ),
            (
                "postgresql://a:b?x=1@c/d?sslrootcert=x",
                "postgresql://a:b?x=1@c/d",
                Some("x"),
                0,
            ),
            (
                r"host=c password = 'it\'s \\ = b' sslrootcert='/a b' dbname=d",
                r"host='c' password='it\'s \\ = b' dbname='d' ",
                Some("/a b"),
                3,
            ),
            (
                "host=c sslrootcert=first sslrootcert=last",
                "host='c' ",
                Some("last"),
                1,
            ),
        ] {
            let parameters = Parameters::of(url).unwrap();
            assert_eq!(parameters.rest, rest);
            assert_eq!(parameters.ours.get("sslrootcert").map(String::as_str), root);
            assert_eq!(parameters.others.len(), others, "{:?}", parameters.others);
        }
        for broken in ["hunter2", "host='c", "host=c hunter2", r"host=c\"] {
            assert!(Parameters::of(broken).is_none(), "{broken}");
        }
    }
}
