//! Searches the programs' logs for personal data and panics.

use crate::Shop;
use crate::purchase::HOLDER;

/// The first lines of each log file that must not be there.
pub fn complaints(shop: &Shop) -> Vec<String> {
    let tokens = &shop.tokens;
    let mut secrets = vec![
        HOLDER,
        "Nordmann",
        "900 00 000",
        "+4790000000",
        "1990-05-17",
        "AB12345",
    ];
    secrets.extend([&tokens.customer[..], &tokens.staff[..]]);
    let mut complaints = Vec::new();
    for entry in std::fs::read_dir(shop.system.logs()).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let bad =
            |line: &&str| secrets.iter().any(|secret| line.contains(secret)) || line.contains("panicked");
        let found = text.lines().filter(bad).take(5);
        complaints.extend(found.map(|line| format!("{}: {line}", path.display())));
    }
    complaints
}
