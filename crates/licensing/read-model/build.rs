//! A new migration is compiled in: the macro that reads them can't tell cargo that it did.

fn main() {
    println!("cargo::rerun-if-changed=src/migrations");
    println!("cargo::rerun-if-changed=src/reports/migrations");
}
