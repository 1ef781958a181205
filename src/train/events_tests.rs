//! Event files, byte by byte.

use super::*;
use crate::train::Evaluated;

fn line() -> Line {
    Line {
        step: 300,
        sequences: 4800,
        loss: 2.5,
        bits_per_sequence: 3.5,
        score_name: "wrong_bits".to_owned(),
        score: 1.25,
        gradient_norm: 0.5,
        learning_rate: 0.001,
        evaluation: None,
    }
}

/// What the record writer of TensorBoard 2.21 makes of the same event.
const KNOWN: &[&str] = &[
    "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc985129a2000000000000007b39f51809",
    "0000000000c0724010ac022a93010a140a0d747261696e696e672f6c6f737315000020400a210a1a74726169",
    "6e696e672f626974735f7065725f73657175656e636515000060400a1a0a13747261696e696e672f77726f6e",
    "675f62697473150000a03f0a1d0a16747261696e696e672f6772616469656e745f6e6f726d150000003f0a1d",
    "0a16747261696e696e672f6c6561726e696e675f72617465156f12833a2598e426",
];

#[test]
fn a_line_is_what_tensorboard_writes() {
    let made: String = events(&[line()]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(made, KNOWN.concat());
}

#[test]
fn checksums_are_those_of_the_definition() {
    // RFC 3720, appendix B.4.
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
}

#[test]
fn more_lines_leave_the_bytes_before_them_alone() {
    let found = Evaluated { step: 301, loss: 2.0, score: 1.0 };
    let next = Line { step: 301, evaluation: Some(found), ..line() };
    let (short, long) = (events(&[line()]), events(&[line(), next]));
    assert!(long.starts_with(&short));
    let text = String::from_utf8_lossy(&long[short.len()..]).into_owned();
    for tag in ["evaluation/loss", "evaluation/bits_per_sequence", "evaluation/wrong_bits"] {
        assert!(text.contains(tag), "no {tag}");
    }
}
