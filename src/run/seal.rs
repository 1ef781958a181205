//! A checksum inside a file: SHA-256 of all its bytes, with zeros in the place of the checksum itself.
//!
//! In: the bytes of a safetensors file one of whose metadata entries is a JSON object that begins with
//! [`open`]. Out: the same bytes with the checksum filled in, or whether it is the right one.
//! Invariant: a sealed file of which any byte was changed, added or taken away is refused.

use sha2::{Digest, Sha256};

/// Hexadecimal digits of a checksum.
const DIGITS: usize = 64;

/// How the entry begins where it stands in the file: a JSON text inside another.
const MARK: &[u8] = br#"{\"checksum\":\""#;

/// A JSON object with an empty place for the checksum in front of its other members.
pub(super) fn open(object: &str) -> String {
    let members = object.strip_prefix('{').unwrap_or(object);
    format!("{{\"checksum\":\"{}\",{members}", "0".repeat(DIGITS))
}

/// Where the digits stand.
fn place(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = bytes.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    (start + DIGITS <= bytes.len()).then_some(start..start + DIGITS)
}

fn checksum(bytes: &[u8], digits: std::ops::Range<usize>) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..digits.start]);
    hash.update([b'0'; DIGITS]);
    hash.update(&bytes[digits.end..]);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fills the checksum in.
///
/// # Panics
/// If there is no place for it: the file was not opened for a checksum.
pub(super) fn seal(bytes: &mut [u8]) {
    let digits = place(bytes).expect("the entry begins with a place for the checksum");
    let sum = checksum(bytes, digits.clone());
    bytes[digits].copy_from_slice(sum.as_bytes());
}

/// Whether a checksum is there and right.
///
/// # Errors
/// What is wrong.
pub(super) fn check(bytes: &[u8]) -> Result<(), &'static str> {
    let digits = place(bytes).ok_or("it holds no checksum")?;
    if bytes[digits.clone()] == *checksum(bytes, digits).as_bytes() {
        Ok(())
    } else {
        Err("it is damaged: its bytes are not those that were written, by their checksum")
    }
}
