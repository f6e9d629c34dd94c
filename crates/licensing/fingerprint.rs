//! A hash of source text, for build scripts: a program knows by it whether another build made its snapshots or rows.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Hashes all files below these directories, which are relative to the package, and gives the hash to the compiler as the
/// environment variable `name`.
pub(crate) fn set(name: &str, sources: &[&str]) -> io::Result<()> {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    // FNV-1a: it tells one text from another. It protects nothing.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for source in sources {
        let source = package.join(source);
        println!("cargo::rerun-if-changed={}", source.display());
        for file in files(&source)? {
            for byte in fs::read(file)? {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
    }
    println!("cargo::rustc-env={name}={hash:016x}");
    Ok(())
}

/// The files below a directory, always in the same order.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
