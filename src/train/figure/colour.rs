//! Two colour scales for numbers, both of even steps of lightness, so that they also read in grey and
//! for colour-blind eyes: dark blue to yellow for what is never negative (the anchors follow viridis,
//! Smith and van der Walt 2015), and blue over near white to brown for what has signs (after `vik`,
//! Crameri 2018).

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rgb(pub u8, pub u8, pub u8);

const RISING: [Rgb; 9] = [
    Rgb(0x44, 0x01, 0x54),
    Rgb(0x47, 0x2c, 0x7a),
    Rgb(0x3b, 0x52, 0x8b),
    Rgb(0x2c, 0x72, 0x8e),
    Rgb(0x21, 0x91, 0x8c),
    Rgb(0x28, 0xae, 0x80),
    Rgb(0x5e, 0xc9, 0x62),
    Rgb(0xad, 0xdc, 0x30),
    Rgb(0xfd, 0xe7, 0x25),
];

const SIGNED: [Rgb; 9] = [
    Rgb(0x00, 0x22, 0x62),
    Rgb(0x03, 0x50, 0x83),
    Rgb(0x33, 0x7f, 0xa7),
    Rgb(0x8c, 0xb4, 0xcc),
    Rgb(0xec, 0xe9, 0xe5),
    Rgb(0xdc, 0xb2, 0x96),
    Rgb(0xc2, 0x7c, 0x4f),
    Rgb(0x92, 0x45, 0x1a),
    Rgb(0x5a, 0x0c, 0x07),
];

/// How many colours a scale has; few enough that equal neighbours can be drawn as one.
const LEVELS: f64 = 64.0;

/// The colour of a number in 0..1; numbers outside are moved to the nearest end.
#[must_use]
pub fn rising(value: f64) -> Rgb {
    between(&RISING, value)
}

/// The colour of a number in -1..1, that of 0 near white; numbers outside are moved to the nearest end.
#[must_use]
pub fn signed(value: f64) -> Rgb {
    between(&SIGNED, (value + 1.0) / 2.0)
}

fn between(anchors: &[Rgb; 9], value: f64) -> Rgb {
    let level = (value.clamp(0.0, 1.0) * LEVELS).round() / LEVELS;
    let place = level * (anchors.len() - 1) as f64;
    let below = (place.floor() as usize).min(anchors.len() - 2);
    let (low, high) = (anchors[below], anchors[below + 1]);
    let part = place - below as f64;
    let mix = |low: u8, high: u8| {
        (f64::from(low) + (f64::from(high) - f64::from(low)) * part).round() as u8
    };
    Rgb(mix(low.0, high.0), mix(low.1, high.1), mix(low.2, high.2))
}

impl std::fmt::Display for Rgb {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}
