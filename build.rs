//! Keeps the SQL entity section that `cargo pgrx` reads. Said here instead of in `cargo pgrx`'s own linker flag,
//! which would make every dependency compile a second time (see `CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND`).
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,--no-gc-sections");
}
