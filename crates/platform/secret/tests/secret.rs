//! Secrets stay secret.

#![expect(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::path::{Path, PathBuf};

use clap::Parser;
use secret::Secret;

/// A file that is gone at the end of the test.
struct TempFile(PathBuf);

impl TempFile {
    fn with(text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("secret-{}", uuid::Uuid::now_v7()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[derive(Debug, Parser)]
struct Options {
    #[arg(long)]
    secret: Option<Secret>,
}

#[test]
fn debug_does_not_show_it() {
    let options = Options::parse_from(["test", "--secret", "hunter2"]);
    assert_eq!(format!("{options:?}"), "Options { secret: Some(***) }");
    assert_eq!(options.secret.unwrap().expose(), "hunter2");
}

#[test]
fn it_comes_from_a_flag_or_a_file_and_not_from_both() {
    let file = TempFile::with("from file\r\n");
    let (direct, path) = (Secret::new("from flag"), Some(file.0.as_path()));
    let read = |direct, path| {
        Secret::given("a-url", direct, path).map(|secret| secret.map(|s| s.expose().to_owned()))
    };
    assert_eq!(read(Some(&direct), None).unwrap().as_deref(), Some("from flag"));
    assert_eq!(read(None, path).unwrap().as_deref(), Some("from file"));
    assert_eq!(read(None, None).unwrap(), None);
    let both = read(Some(&direct), path).unwrap_err().to_string();
    assert!(
        both.contains("--a-url and --a-url-file /") && both.contains("A_URL_FILE"),
        "{both}"
    );
    let missing = Secret::required("a-url", None, None).unwrap_err().to_string();
    assert!(missing.contains("A_URL or A_URL_FILE"), "{missing}");
}

#[test]
fn an_empty_or_missing_secret_is_an_error_that_names_the_file_only() {
    let empty = TempFile::with("\n");
    let told = |direct: Option<&Secret>, path: Option<&Path>| {
        Secret::given("a-url", direct, path).unwrap_err().to_string()
    };
    let said = told(None, Some(&empty.0));
    assert!(
        said.contains(&empty.0.display().to_string()) && said.contains("empty"),
        "{said}"
    );
    assert!(told(Some(&Secret::new("")), None).contains("A_URL"));
    let missing = Path::new("/nonexistent/secret");
    assert!(!told(Some(&Secret::new("hunter2")), Some(missing)).contains("hunter2"));
    let said = told(None, Some(missing));
    assert!(
        said.contains("/nonexistent/secret") && said.contains("A_URL_FILE"),
        "{said}"
    );
}
