//! Secrets stay secret.

use std::path::PathBuf;

use clap::Parser;
use service::secret::Secret;

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
    let path = || Some(file.0.clone());
    let flag = || Some(Secret::new("from flag"));
    let read = |flag, path| {
        Secret::from_flag_or_file(flag, path).map(|secret| secret.map(|s| s.expose().to_owned()))
    };
    assert_eq!(read(flag(), None).unwrap().as_deref(), Some("from flag"));
    assert_eq!(read(None, path()).unwrap().as_deref(), Some("from file"));
    assert_eq!(read(None, None).unwrap(), None);
    assert!(read(flag(), path()).is_err());
}

#[test]
fn an_empty_or_missing_secret_is_an_error_that_names_the_file_only() {
    let empty = TempFile::with("\n");
    assert!(Secret::from_flag_or_file(None, Some(empty.0.clone())).is_err());
    assert!(Secret::from_flag_or_file(Some(Secret::new("")), None).is_err());
    let missing = PathBuf::from("/nonexistent/secret");
    let error = Secret::from_flag_or_file(Some(Secret::new("hunter2")), Some(missing.clone())).unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"));
    let error = Secret::from_flag_or_file(None, Some(missing)).unwrap_err();
    assert!(format!("{error:?}").contains("/nonexistent/secret"));
}
