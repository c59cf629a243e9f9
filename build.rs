//! The migrations are compiled into the binary; a change in them alone has to rebuild it.
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
