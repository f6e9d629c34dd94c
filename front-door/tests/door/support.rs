//! The service on a socket, its issuer, and a browser.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser as _;
use front_door::config::{Cli, Command, ServeOptions};
use front_door::provider::Provider;
use front_door::router::router;
use front_door::{AppState, keys};
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::Value;
use service::auth::Authenticator;
use service::health::Health;
use service::http::HttpOptions;
use stack::{AUDIENCE, ISSUER, Issuer};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub(crate) const CLIENT: &str = "front-door";
pub(crate) const SESSION: &str = "__Host-session";
pub(crate) const LOGIN: &str = "__Host-login";
/// What our own pages send with everything.
pub(crate) const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");
/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory for files, which go with it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("front-door-test-{}", Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A line of the key file.
pub(crate) fn key(name: &str) -> String {
    format!(
        "{name} {:0>64x}\n",
        u128::from_be_bytes(*Uuid::new_v4().as_bytes())
    )
}

/// The service under test.
pub(crate) struct Door {
    /// Nothing once it is away.
    pub(crate) issuer: Option<Issuer>,
    pub(crate) url: String,
    pub(crate) state: AppState,
    pub(crate) health: Health,
    pub(crate) http: Client,
    files: Directory,
    _stop: DropGuard,
}

/// What the service is started with, as on its command line.
pub(crate) fn options(arguments: &[String]) -> ServeOptions {
    let line = ["front-door".to_owned(), "serve".to_owned()];
    let Command::Serve(options) = Cli::try_parse_from(line.iter().chain(arguments)).unwrap().command;
    *options
}

impl Door {
    pub(crate) async fn open() -> Self {
        let door = Self::open_with(None, &[]).await;
        // Once the issuer's description has been read.
        eventually("a login begins", async || {
            let begun = door.get("/session/login", &[]).await;
            (begun.status == StatusCode::FOUND).then_some(())
        })
        .await;
        door
    }

    /// With another description of the issuer, and more options.
    pub(crate) async fn open_with(discovery_url: Option<&str>, more: &[String]) -> Self {
        let files = Directory::new();
        let keys_file = files.0.join("session.keys");
        std::fs::write(&keys_file, key("first")).unwrap();
        let issuer = Issuer::start(&files.0.join("issuer.key")).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        issuer.add_client(CLIENT, &format!("{url}/session/callback"));
        let discovery_url = discovery_url.map_or_else(|| issuer.discovery_url(), str::to_owned);
        let mut arguments = vec![
            format!("--public-url={url}"),
            format!("--session-keys-file={}", keys_file.display()),
            format!("--oidc-discovery-url={discovery_url}"),
            format!("--oidc-client-id={CLIENT}"),
            format!("--jwt-issuer={ISSUER}"),
            format!("--jwt-audience={AUDIENCE}"),
            format!("--jwks-url={}", issuer.jwks_url()),
        ];
        arguments.extend_from_slice(more);
        let options = options(&arguments);
        let stop = CancellationToken::new();
        let health = Health::new(stop.clone());
        let often = Duration::from_millis(20);
        let origin = options.public_url;
        let state = AppState {
            seal: keys::follow(keys_file, often, health.check("session_keys"), stop.clone()).unwrap(),
            provider: Provider::follow(
                &options.provider,
                ISSUER,
                &origin,
                health.check("issuer"),
                stop.clone(),
            )
            .unwrap(),
            authenticator: Authenticator::new(&options.auth).unwrap(),
            origin,
        };
        let serving = service::http::serve(
            listener,
            router(state.clone()),
            HttpOptions::default(),
            stop.clone(),
        );
        tokio::spawn(serving);
        Self {
            issuer: Some(issuer),
            url,
            state,
            health,
            http: Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            files,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        self.issuer.as_ref().unwrap()
    }

    /// Replaces the file of session keys.
    pub(crate) fn write_keys(&self, text: &str) {
        let (beside, file) = (self.files.0.join("new"), self.files.0.join("session.keys"));
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, file).unwrap();
    }

    pub(crate) fn read_keys(&self) -> String {
        std::fs::read_to_string(self.files.0.join("session.keys")).unwrap()
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
        }
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser {
            door: self,
            cookies: BTreeMap::new(),
        }
    }

    /// A browser in which this person has logged in.
    pub(crate) async fn logged_in(&self, person: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let back = browser.log_in("/session/login", person).await;
        assert_eq!(back.header("location"), "/", "{back:?}");
        browser
    }
}

/// An answer of the service.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// A header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Whether it is the problem with this status and code.
    pub(crate) fn is(&self, status: u16, code: &str) -> bool {
        let told = ["message_nb", "message_en"]
            .iter()
            .all(|name| self.body[name].is_string());
        self.status.as_u16() == status && self.body["code"] == code && told
    }

    /// The page of a failed login, if it leads to one: its path and its parameters.
    pub(crate) fn failure(&self) -> (String, BTreeMap<String, String>) {
        let url = Url::parse("http://shop.example").unwrap();
        let url = url.join(self.header("location")).unwrap();
        (url.path().to_owned(), url.query_pairs().into_owned().collect())
    }

    /// The code that the page of a failed login is told.
    #[track_caller]
    pub(crate) fn failed_as(&self, code: &str) {
        let (path, told) = self.failure();
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{self:?}");
        assert_eq!((path.as_str(), told["feil"].as_str()), ("/innlogging", code));
    }

    /// The cookies that it sets: name and value, empty for one that it takes away.
    pub(crate) fn cookies(&self) -> Vec<(String, String)> {
        let cookies = self.headers.get_all(SET_COOKIE).iter().map(|cookie| {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.len() <= 4096, "{} bytes", cookie.len());
            let (pair, attributes) = cookie.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{cookie}");
            let (age, fixed) = attributes.split_once("; HttpOnly").unwrap();
            assert_eq!(fixed, "; Secure; SameSite=Lax");
            assert_eq!(value.is_empty(), age == "Path=/; Max-Age=0", "{cookie}");
            (name.to_owned(), value.to_owned())
        });
        cookies.collect()
    }
}

/// A browser's cookies.
pub(crate) struct Browser<'a> {
    door: &'a Door,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[OURS]).await
    }

    pub(crate) async fn post(&mut self, path: &str) -> Answer {
        self.send(Method::POST, path, &[OURS]).await
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers = headers.to_vec();
        if !cookies.is_empty() {
            headers.push((COOKIE.as_str(), &cookies));
        }
        let answer = self.door.send(method, path, &headers).await;
        for (name, value) in answer.cookies() {
            if value.is_empty() {
                self.cookies.remove(&name);
            } else {
                self.cookies.insert(name, value);
            }
        }
        answer
    }

    /// Begins a login: where the browser is sent.
    pub(crate) async fn begin(&mut self, path: &str) -> Url {
        let begun = self.get(path).await;
        assert_eq!(begun.status, StatusCode::FOUND, "{begun:?}");
        begun.header("location").parse().unwrap()
    }

    /// What the issuer's page leads to when this person is chosen: a path at the service.
    pub(crate) async fn choose(&self, page: &Url, person: &str) -> String {
        let shown = self.door.http.get(page.clone()).send().await.unwrap();
        assert_eq!(shown.status(), StatusCode::OK);
        let mut form: Vec<(String, String)> = page.query_pairs().into_owned().collect();
        form.push(("person".to_owned(), person.to_owned()));
        let mut action = page.clone();
        action.set_query(None);
        let back = self.door.http.post(action).form(&form).send().await.unwrap();
        let back = back.headers()[LOCATION].to_str().unwrap();
        back.strip_prefix(&self.door.url).unwrap().to_owned()
    }

    /// A whole login, begun at this path: the answer to the browser that comes back.
    pub(crate) async fn log_in(&mut self, path: &str, person: &str) -> Answer {
        let page = self.begin(path).await;
        let back = self.choose(&page, person).await;
        self.get(&back).await
    }

    /// What the edge gets to know of a request with this method.
    pub(crate) async fn check(&mut self, method: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = [
            &[
                ("x-original-method", method),
                ("x-original-uri", "/api/v1/orders"),
            ],
            headers,
        ]
        .concat();
        self.send(Method::GET, "/session/check", &headers).await
    }
}

/// Polls until there is a value.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "it did not happen: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A parameter of an address.
pub(crate) fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.unwrap().1.into_owned()
}
