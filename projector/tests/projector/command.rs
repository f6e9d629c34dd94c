//! The commands that look from outside, run as a person or a cron job runs them.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::world::World;

/// What a command said, and its exit status.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Standard output, read as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Holds the exit status, and gives what was said as JSON.
    pub(crate) fn ended(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "{self:?}");
        self.json()
    }

    /// Holds that all is well, and gives what was said as JSON.
    pub(crate) fn well(&self) -> Value {
        let said = self.ended(0);
        assert_eq!(said["verdict"], "well");
        assert_eq!(said["problems"], serde_json::json!([]));
        said
    }

    /// Holds that all is not well, for a reason with these words.
    pub(crate) fn unwell(&self, words: &str) -> Value {
        let said = self.ended(1);
        assert_eq!(said["verdict"], "unwell");
        let problems = said["problems"].as_array().unwrap();
        assert!(
            problems.iter().any(|one| one.as_str().unwrap().contains(words)),
            "{words:?} is not in {problems:?}"
        );
        said
    }
}

impl World {
    /// Runs `projector serve` on this world until dropped, and says on which port it serves health and metrics.
    pub(crate) fn serve(&self) -> (Child, u16) {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = self.program(&["serve", "--ops-listen", &address.to_string()]);
        (command.stdout(Stdio::null()).spawn().unwrap(), address.port())
    }

    /// Runs `projector` on this world with these arguments.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Said {
        let mut command = self.program(arguments);
        let output = tokio::time::timeout(Duration::from_mins(1), command.output());
        let output = output.await.unwrap().unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts `projector` on this world with these arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.program(arguments);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_projector"));
        command
            .args(arguments)
            .env("EVENTS_DATABASE_URL", &self.databases.events_reader)
            .env("READ_DATABASE_URL", &self.databases.read_owner)
            .env("NATS_URL", self.servers.nats().url())
            .env("STREAM", &self.stream.name)
            .env("SUBJECT_PREFIX", &self.stream.subject_prefix)
            .kill_on_drop(true);
        command
    }
}
