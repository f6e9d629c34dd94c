//! Where browsers see the shop: which addresses are ours, and which requests come from our own pages.

use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, header};
use reqwest::Url;

/// Set by browsers, never by scripts.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The longest path that a login leads back to.
const MAX_PATH: usize = 1024;
/// The beginning of this program's own paths. A login that led back to a login would have no end.
const OWN: &str = "/session/";

/// Scheme, host and port of the shop's pages.
#[derive(Clone, Debug)]
pub struct Origin {
    url: Url,
    /// As browsers send it in `Origin`.
    text: String,
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        let is_bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !is_bare {
            return Err("it has more than scheme, host and port".to_owned());
        }
        // Browsers keep our cookies nowhere else.
        let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err("it is neither https nor http on this machine".to_owned());
        }
        let text = url.origin().ascii_serialization();
        Ok(Self { url, text })
    }
}

impl Origin {
    /// `https://host` or `http://host:port`, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A path of ours with parameters.
    pub(crate) fn with_parameters(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut url = self.url.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        format!("{path}?{}", url.query().unwrap_or_default())
    }

    /// Whether a request comes from one of our own pages. `Sec-Fetch-Site` counts where there is one, else `Origin`. A request
    /// with neither may come from anywhere.
    pub(crate) fn sent(&self, headers: &HeaderMap) -> bool {
        let site = headers.get_all(FETCH_SITE);
        if site.iter().next().is_some() {
            return is_only(&site, b"same-origin");
        }
        is_only(&headers.get_all(header::ORIGIN), self.text.as_bytes())
    }

    /// The path, if it leads to a page of ours and to no other host, in whatever way a browser reads it.
    pub(crate) fn local_path<'a>(&self, path: &'a str) -> Option<&'a str> {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if path.len() > MAX_PATH || !path.bytes().all(plain) {
            return None;
        }
        if !path.starts_with('/') || path.starts_with("//") || path.starts_with(OWN) {
            return None;
        }
        // A path that is written in one way has no second meaning: without dots to leave out, and encoded.
        let written = path.split(['?', '#']).next()?;
        let url = self.url.join(path).ok()?;
        (url.origin() == self.url.origin() && url.path() == written).then_some(path)
    }
}

fn is_only(values: &axum::http::header::GetAll<'_, axum::http::HeaderValue>, expected: &[u8]) -> bool {
    let mut values = values.iter();
    values.next().is_some_and(|value| value.as_bytes() == expected) && values.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::Origin;

    fn origin() -> Origin {
        "https://shop.example".parse().unwrap()
    }

    #[test]
    fn only_paths_of_our_own_pages_are_local() {
        for fine in [
            "/",
            "/kjop/betal",
            "/mine?sort=-activity_date&q=a%20b",
            "/arbeid/ordrer#rad-10",
            "/v/1?next=https://evil.example",
            "/a//b",
            "/session",
            "/@evil.example",
        ] {
            assert_eq!(origin().local_path(fine), Some(fine));
        }
        let long = format!("/{}", "a".repeat(1024));
        for bad in [
            "",
            "mine",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/a\\b",
            "https://evil.example",
            "https:evil.example",
            "HTTPS://shop.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\nSet-Cookie: a=b",
            "\u{0}/",
            " /mine",
            "/mine ",
            "/min\u{e5}",
            "/.//evil.example",
            "/..//evil.example",
            "/a/..//evil.example",
            "/%2e//evil.example",
            "/%2E%2E//evil.example",
            "/a/./b",
            "/session/login",
            "/session/login?return_to=/",
            "/a<b",
            &long,
        ] {
            assert_eq!(origin().local_path(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_origin_is_a_place_that_keeps_our_cookies() {
        for fine in [
            "https://shop.example",
            "https://shop.example:8443/",
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
        ] {
            assert!(fine.parse::<Origin>().is_ok(), "{fine}");
        }
        assert_eq!(origin().as_str(), "https://shop.example");
        for bad in [
            "shop.example",
            "http://shop.example",
            "https://shop.example/path",
            "https://shop.example?a",
            "https://user@shop.example",
            "ftp://127.0.0.1",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
