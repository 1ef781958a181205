//! Pictures are well formed, repeatable and fit.

use super::terminal::{Letters, blocks, chart};
use super::*;
use crate::tensor::Tensor;

fn weighting(steps: usize, size: usize) -> Tensor {
    Tensor::from_shape_fn(vec![steps, size], |at| {
        let focus = (at[0] as f64 * 0.8) % size as f64;
        (-(at[1] as f64 - focus).powi(2) / 2.0).exp()
    })
}

fn panels() -> Vec<Panel> {
    let panel =
        |title: &str, rows: &str, values, range| Panel::over_time(title, rows, values, range);
    let mut target = weighting(41, 8).mapv(|value| f64::from(u8::from(value > 0.5)));
    target.slice_axis_mut(ndarray::Axis(0), ndarray::Slice::from(..21)).fill(f64::NAN);
    vec![
        panel("target", "channel", target, Some((0.0, 1.0))),
        panel("read.w & <others>", "location", weighting(41, 128), Some((0.0, 1.0))),
        panel("read.r", "channel", weighting(41, 20).mapv(|value| value * 3.2 - 1.0), None),
        panel("one row", "channel", weighting(41, 1), None),
    ]
}

fn falling() -> Curve {
    let noisy = |at: u32| {
        let x = f64::from(at);
        (x * 20.0, 84.0 / (1.0 + (x / 60.0 - 3.0).exp()) + 3.0 * (x * 1.7).sin().abs())
    };
    let line = Series {
        name: "training".to_owned(),
        points: (0..400).map(noisy).collect(),
        style: Style::Line,
    };
    let dots = Series {
        name: "evaluation".to_owned(),
        points: (1..10).map(|at| noisy(at * 40)).collect(),
        style: Style::Dots,
    };
    Curve {
        title: "ntm on copy(bits = 8, length = 1..20)".to_owned(),
        x: "sequences".to_owned(),
        y: "loss in bits per sequence".to_owned(),
        series: vec![line, dots],
        size: (560.0, 240.0),
    }
}

/// Writes the pictures of this test to the folder named by `NTMC_FIGURES`, to look at them.
fn show(name: &str, picture: &Picture) {
    if let Some(folder) = std::env::var_os("NTMC_FIGURES") {
        let folder = std::path::PathBuf::from(folder);
        std::fs::write(folder.join(format!("{name}.svg")), svg(picture)).expect("written");
        std::fs::write(folder.join(format!("{name}.png")), png(picture)).expect("written");
    }
}

#[test]
fn pictures_are_well_formed_and_the_same_twice() {
    for (name, make) in [
        ("heat", (|| heat("an episode", &[panels()], 560.0)) as fn() -> Picture),
        ("curve", || curve(&falling())),
        ("short", || {
            heat("", &[vec![Panel { values: weighting(1, 2), ..panels().remove(2) }]], 560.0)
        }),
        ("empty", || curve(&Curve { series: Vec::new(), ..falling() })),
    ] {
        let picture = make();
        show(name, &picture);
        let text = svg(&picture);
        assert_eq!(text, svg(&make()));
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
        assert!(!text.contains("NaN") && !text.contains("inf"), "{name}");
        assert!(!text.contains("<others>"));
        let bytes = png(&picture);
        assert_eq!(bytes, png(&make()));
        let info = ::png::Decoder::new(std::io::Cursor::new(bytes)).read_info().expect("a picture");
        assert_eq!(f64::from(info.info().width), (picture.width * 2.0).ceil());
    }
}

#[test]
fn the_colour_scale_gets_lighter_all_the_way() {
    let light = |Rgb(r, g, b): Rgb| 0.3 * f64::from(r) + 0.59 * f64::from(g) + 0.11 * f64::from(b);
    let levels: Vec<f64> = (0..=64).map(|at| light(rising(f64::from(at) / 64.0))).collect();
    assert!(levels.is_sorted_by(|left, right| left < right));
    assert_eq!(rising(-3.0), rising(0.0));
    assert_eq!(rising(7.0), Rgb(0xfd, 0xe7, 0x25));
    // The other one gets darker towards both ends, equally far.
    let levels: Vec<f64> = (0..=64).map(|at| light(signed(f64::from(at) / 32.0 - 1.0))).collect();
    assert!(levels[..=32].is_sorted_by(|left, right| left < right));
    assert!(levels[32..].is_sorted_by(|left, right| left > right));
    assert!((levels[0] - levels[64]).abs() < 15.0, "{levels:?}");
}

#[test]
fn ticks_are_round() {
    assert_eq!(axis::ticks(0.0, 41.0, 5, true), [0.0, 10.0, 20.0, 30.0, 40.0]);
    assert_eq!(axis::ticks(0.0, 0.9, 4, false), [0.0, 0.5]);
    assert_eq!(axis::ticks(0.0, 2.0, 12, true), [0.0, 1.0, 2.0]);
    assert_eq!(axis::ticks(3.0, 3.0, 5, true), [3.0]);
    let all: Vec<String> =
        [0.0, 0.25, 12.0, 8000.0, 50_000.0, 1.5e6, 2e-5, -0.5].map(axis::short).into();
    assert_eq!(all, ["0", "0.25", "12", "8000", "50k", "1.5M", "2e-5", "-0.5"]);
}

#[test]
fn the_terminal_chart_fits_and_says_its_ends() {
    let points = &falling().series[0].points;
    for letters in [Letters::Unicode, Letters::Ascii] {
        let text = chart(points, "sequences", 80, 12, letters);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.lines().count(), 14);
        assert!(text.contains("7980") && text.contains("sequences"), "{text}");
        assert_eq!(text.is_ascii(), letters == Letters::Ascii);
    }
    assert_eq!(chart(&points[..1], "x", 80, 12, Letters::Unicode), "");
}

#[test]
fn blocks_shade_numbers_and_say_what_is_cut() {
    let mut values = Tensor::zeros(vec![3, 2]);
    values[[0, 0]] = 1.0;
    values[[1, 0]] = 0.5;
    values[[2, 1]] = f64::NAN;
    let text = blocks("input", &values, 80, 8, Letters::Ascii);
    assert_eq!(text, "input     #:\n            -\n");
    let text = blocks("input", &values, 12, 1, Letters::Unicode);
    assert_eq!(text, "input     █▒\n          (2 of 3 steps, 1 of 2 channels shown)\n");
}

#[test]
fn what_lies_beyond_a_range_is_marked_and_rounding_is_not() {
    let values =
        Tensor::from_shape_vec(vec![1, 4], vec![0.0, 1.0 + 1e-5, 1.5, -0.5]).expect("four");
    let given = Scale::of(&values, Some((0.0, 1.0)));
    assert!(given.above && given.below);
    assert_eq!(given.colour(1.5), Scale::ABOVE);
    assert_eq!(given.colour(-0.5), Scale::BELOW);
    assert_eq!(given.colour(1.0 + 1e-5), rising(1.0));
    assert_eq!(given.colour(f64::INFINITY), Scale::ABOVE);
    let inside = Scale::of(&values.mapv(|value| value.clamp(0.0, 1.0 + 1e-5)), Some((0.0, 1.0)));
    assert!(!inside.above && !inside.below);
}

#[test]
fn a_scale_comes_from_nearly_all_numbers() {
    let of = |numbers: &[f64]| {
        let shape = vec![1, numbers.len()];
        Scale::of(&Tensor::from_shape_vec(shape, numbers.to_vec()).expect("as many"), None)
    };
    let mut numbers: Vec<f64> = (0..200).map(|at| f64::from(at % 5) - 1.0).collect();
    let plain = of(&numbers);
    // Signs: 0 has the colour of nothing, whatever the ends.
    assert_eq!((plain.low, plain.high), (-3.0, 3.0));
    assert_eq!(plain.colour(0.0), signed(0.0));
    numbers.push(1000.0);
    let outlier = of(&numbers);
    assert_eq!((outlier.high, outlier.above), (6.0, true));
    assert_eq!(outlier.colour(1000.0), Scale::ABOVE);
    assert_eq!((of(&[0.1, 0.9]).low, of(&[0.1, 0.9]).high), (0.0, 1.0));
    assert_eq!(of(&[f64::NAN, f64::NAN]), of(&[0.0, 1.0]));
    let same = of(&[0.0, 0.0]);
    assert_eq!(same.colour(0.0), rising(0.0));
}

#[test]
fn a_picture_on_a_page_takes_the_colours_of_the_page() {
    let picture = heat("", &[panels()], 240.0);
    let text = inline(&picture, "a <map>");
    assert!(text.contains("currentColor") && text.contains("<title>a &lt;map&gt;</title>"));
    for own in [INK, FAINT, ABSENT] {
        assert!(!text.contains(&format!("\"{own}\"")), "{own} is left");
    }
    assert!(!text.contains("#ffffff"), "a ground of its own");
}

#[test]
fn crosses_mark_cells_and_columns_stand_side_by_side() {
    let marked = Panel { marks: vec![[0, 0], [40, 7]], ..panels().remove(0) };
    let plain = heat("t", &[panels()], 240.0);
    let both = heat("t", &[vec![marked], panels()], 240.0);
    show("columns", &both);
    let alone = heat("t", &[vec![panels().remove(0)], panels()], 240.0);
    assert!(both.width > 1.5 * plain.width);
    assert_eq!((both.width, both.height), (alone.width, alone.height));
    let crosses = |picture: &Picture| {
        let line =
            |shape: &&Shape| matches!(shape, Shape::Line { points, .. } if points.len() == 2);
        picture.shapes.iter().filter(line).count()
    };
    // Two strokes and their rims for each.
    assert_eq!(crosses(&both), crosses(&alone) + 8);
}
