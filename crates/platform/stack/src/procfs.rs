//! Reads `/proc` for processes that are not our children: PostgreSQL backends (children of a child), and those that a
//! killed supervisor left behind. A process is recognised by its working directory, since a pid may have been reused;
//! each child of ours works inside its own data directory.

use std::path::{Path, PathBuf};

/// Pids of all processes that work in `dir` or below it. Processes of other users may be missing.
pub(crate) fn working_in(dir: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| works_in(*pid, dir))
        .collect()
}

/// Whether the process works in `dir` or below it, also after the directory was removed, and is not a zombie that only waits
/// to be reaped.
pub(crate) fn works_in(pid: u32, dir: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| {
        let removed = cwd.to_str().and_then(|cwd| cwd.strip_suffix(" (deleted)"));
        removed.map_or(cwd.as_path(), Path::new).starts_with(dir)
    })
}

/// Whether the process is stopped by a signal.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may itself hold spaces and parentheses.
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// File name of the program the process runs, also after the file was replaced by a new build.
pub(crate) fn program(pid: u32) -> Option<String> {
    let path: PathBuf = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let name = path.file_name()?.to_str()?;
    Some(name.strip_suffix(" (deleted)").unwrap_or(name).to_owned())
}
