//! Weights that other people trained, loaded through maps: every listed case without a wrong bit, and
//! every output equal to the listed one in all digits printed.
//!
//! Needs the folder `trained-weights` below `NTMC_DATA`.

use std::path::{Path, PathBuf};
use std::process::Command;

use ntmc::tensor::Tensor;
use ntmc::vectors::File;
use serde_json::Value;

use crate::support::{data, root};

/// How the words of a case become inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// The words, a step with a flag, blank steps.
    End,
    /// A step with a flag, the words, a step with another flag, blank steps.
    StartAndEnd,
}

/// The weights of a family, and what loads them.
struct Family {
    prefix: &'static str,
    spec: &'static str,
    map: &'static str,
    layout: Layout,
}

const FAMILIES: [Family; 3] = [
    Family {
        prefix: "golden-copy-pytorch-ntm-seed",
        spec: "ntm-loudinthecloud-2017.ntm",
        map: "ntm-loudinthecloud-2017.map.ron",
        layout: Layout::End,
    },
    Family {
        prefix: "golden-copy-ntm-pytorch",
        spec: "ntm-vlgiitr.ntm",
        map: "ntm-vlgiitr-trained.map.ron",
        layout: Layout::StartAndEnd,
    },
    Family {
        prefix: "golden-repeatcopy-ntm-pytorch",
        spec: "ntm-vlgiitr.ntm",
        map: "ntm-vlgiitr-trained.map.ron",
        layout: Layout::StartAndEnd,
    },
];

/// One case: what is fed, and what must come out at the last steps.
struct Episode {
    x: Tensor,
    target: Vec<Vec<bool>>,
    listed: Vec<Vec<f64>>,
}

const WIDTH: usize = 8;

fn episode(case: &Value, layout: Layout) -> Episode {
    let words = case["bits"].as_array().unwrap().iter();
    let words: Vec<Vec<bool>> =
        words.map(|word| word.as_str().unwrap().chars().map(|bit| bit == '1').collect()).collect();
    let rows = case["output"].as_array().unwrap().iter();
    let listed: Vec<Vec<f64>> = rows
        .map(|row| row.as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect())
        .collect();
    let mut target = words.clone();
    let mut flag = 1.0;
    if let Some(repeats) = case["repeats"].as_u64() {
        // One more channel says that all copies are made; how many is a number of zero mean.
        let with = |word: &Vec<bool>, end| [&word[..], &[end]].concat();
        target = (0..repeats).flat_map(|_| words.iter().map(|word| with(word, false))).collect();
        target.push(with(&vec![false; WIDTH], true));
        flag = (repeats as f64 - 4.5) / (99.0_f64 / 12.0).sqrt();
        let listed = case["repeat_channel_value"].as_f64().unwrap();
        assert!((flag - listed).abs() < 1e-8, "{flag}, not {listed}");
    }
    let (before, flags) = match layout {
        Layout::End => (0, 1),
        Layout::StartAndEnd => (1, 2),
    };
    let steps = before + words.len() + 1 + target.len();
    let mut x = Tensor::zeros(vec![steps, 1, WIDTH + flags]);
    if layout == Layout::StartAndEnd {
        x[[0, 0, WIDTH]] = 1.0;
    }
    for (at, word) in words.iter().enumerate() {
        for (bit, set) in word.iter().enumerate() {
            x[[before + at, 0, bit]] = f64::from(u8::from(*set));
        }
    }
    x[[before + words.len(), 0, WIDTH + flags - 1]] = flag;
    Episode { x, target, listed }
}

/// Runs a model on the weights of one file and the inputs of another.
fn exec(family: &Family, weights: &Path, x: Tensor, folder: &Path) -> Tensor {
    let [input, output] = ["x", "y"].map(|name| folder.join(format!("{name}.safetensors")));
    let file = File::of("x", &[("x".to_owned(), x)].into());
    std::fs::write(&input, file.bytes()).unwrap();
    let published = PathBuf::from("specs/published");
    let ran = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .current_dir(root())
        .arg("exec")
        .arg(published.join(family.spec))
        .arg("--map")
        .arg(published.join(family.map))
        .arg("--in")
        .arg(weights)
        .arg("--in")
        .arg(&input)
        .arg("--out")
        .arg(&output)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    File::parse("y", &std::fs::read(&output).unwrap()).unwrap().tensor("y").unwrap()
}

/// Whether a number is the listed one in the seven digits that are printed.
fn same_digits(ours: f64, listed: f64) -> bool {
    (ours - listed).abs() <= 5.1e-7 * listed.abs()
}

#[test]
fn trained_weights_make_no_wrong_bit() {
    let Some(folder) = data("trained_weights_make_no_wrong_bit", "trained-weights") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let mut cases = [0; FAMILIES.len()];
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !(name.starts_with("golden-") && name.ends_with(".json")) {
            continue;
        }
        let at = FAMILIES.iter().position(|family| name.starts_with(family.prefix)).unwrap();
        let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let weights = folder.join(golden["weights"].as_str().unwrap());
        for case in golden["cases"].as_array().unwrap() {
            let Episode { x, target, listed } = episode(case, FAMILIES[at].layout);
            let first = x.shape()[0] - target.len();
            let y = exec(&FAMILIES[at], &weights, x, scratch.path());
            assert_eq!(listed.len(), target.len(), "{name}");
            let mut wrong = 0;
            for (step, (bits, numbers)) in target.iter().zip(&listed).enumerate() {
                assert_eq!([bits.len(), numbers.len()], [y.shape()[2]; 2], "{name}");
                for (bit, (set, number)) in bits.iter().zip(numbers).enumerate() {
                    let ours = y[[first + step, 0, bit]];
                    wrong += usize::from((ours > 0.5) != *set);
                    assert!(same_digits(ours, *number), "{name}: {ours}, listed {number}");
                }
            }
            assert_eq!(wrong, 0, "{name}");
            cases[at] += 1;
        }
    }
    assert_eq!(cases, [12, 4, 4]);
}
