//! The scalars of a run as a TensorBoard event file.
//!
//! In: the lines of `metrics.jsonl`. Out: the bytes of the file: records of a length, its checksum, an
//! `Event` message of TensorFlow (`event.proto`, `summary.proto`) and its checksum. Invariant: equal
//! lines give equal bytes. So the field for the wall time holds the number of steps, in seconds after
//! 1970: a clock would make two equal runs differ, and a run that was interrupted would show the pause.
//! More lines only make the file longer, so it may be read while it is rewritten.

use super::Line;

/// The file of a run directory; TensorBoard looks for `tfevents` in the name.
pub const NAME: &str = "events.out.tfevents.0.ntmc";

/// The file: one event a line of metrics, with all its scalars at its step.
#[must_use]
pub fn events(lines: &[Line]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut first = Vec::new();
    bytes(&mut first, 3, b"brain.Event:2");
    record(&mut out, &first);
    for line in lines {
        let mut summary = Vec::new();
        for (tag, value) in scalars(line) {
            let mut scalar = Vec::new();
            bytes(&mut scalar, 1, tag.as_bytes());
            float(&mut scalar, 2, value as f32);
            bytes(&mut summary, 1, &scalar);
        }
        let mut event = Vec::new();
        double(&mut event, 1, line.step as f64);
        key(&mut event, 2, VARINT);
        varint(&mut event, line.step);
        bytes(&mut event, 5, &summary);
        record(&mut out, &event);
    }
    out
}

/// What a line says, by tag.
fn scalars(line: &Line) -> Vec<(String, f64)> {
    let bits = |nats: f64| nats / std::f64::consts::LN_2;
    let mut all = vec![
        ("training/loss".to_owned(), line.loss),
        ("training/bits_per_sequence".to_owned(), line.bits_per_sequence),
        (format!("training/{}", line.score_name), line.score),
        ("training/gradient_norm".to_owned(), line.gradient_norm),
        ("training/learning_rate".to_owned(), line.learning_rate),
    ];
    if let Some(found) = line.evaluation {
        all.push(("evaluation/loss".to_owned(), found.loss));
        all.push(("evaluation/bits_per_sequence".to_owned(), bits(found.loss)));
        all.push((format!("evaluation/{}", line.score_name), found.score));
    }
    all
}

// Wire types of protocol buffers.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const WITH_LENGTH: u64 = 2;
const FOUR_BYTES: u64 = 5;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn key(out: &mut Vec<u8>, field: u64, wire: u64) {
    varint(out, field << 3 | wire);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    key(out, field, EIGHT_BYTES);
    out.extend(value.to_le_bytes());
}

fn float(out: &mut Vec<u8>, field: u64, value: f32) {
    key(out, field, FOUR_BYTES);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, WITH_LENGTH);
    varint(out, value.len() as u64);
    out.extend(value);
}

/// Length, its checksum, the message, its checksum.
fn record(out: &mut Vec<u8>, message: &[u8]) {
    let length = (message.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked(&length).to_le_bytes());
    out.extend(message);
    out.extend(masked(message).to_le_bytes());
}

/// Checksums of records are rotated and moved, so that a record may hold records.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), lowest bit first.
fn crc32c(data: &[u8]) -> u32 {
    let shift = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc));
    !data.iter().fold(!0, byte)
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
