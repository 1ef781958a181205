//! Round trips and damaged files.

use super::*;
use crate::train::fake;

fn facts() -> Facts {
    Facts {
        format: FORMAT,
        step: 12,
        seed: 3,
        digest: "abc".to_owned(),
        progress: serde_json::json!({ "loss": 0.1, "best": null }),
    }
}

#[test]
fn a_checkpoint_reads_back_to_the_bit_and_is_written_the_same_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    for precision in [Precision::F32, Precision::F64] {
        let session = fake::session(3, 2, precision, 1);
        let path = folder.path().join("a.safetensors");
        save(&path, &session, &facts()).expect("written");
        let bytes = fs::read(&path).expect("there");
        save(&path, &session, &facts()).expect("written again");
        assert_eq!(bytes, fs::read(&path).expect("there"));
        let loaded = load(&path, session.border()).expect("whole");
        assert_eq!(loaded.facts, facts());
        assert_eq!(loaded.held, session.held());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}

#[test]
fn files_that_do_not_fit_say_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.safetensors");
    let session = fake::session(3, 2, Precision::F64, 1);
    let border = session.border();
    let why = |border: &Border| match load(&path, border).expect_err("must fail") {
        Error::File { .. } => "file".to_owned(),
        Error::Corrupt { message, .. } => message,
        Error::Start { .. } => "start".to_owned(),
    };
    assert_eq!(why(border), "file");
    save(&path, &session, &facts()).expect("written");
    assert_eq!(
        why(&fake::border(4, 2)),
        "`param/y.weight` has shape [2, 3] in the file, [2, 4] here"
    );
    let mut more = fake::border(3, 2);
    more.params[1].path.0 = "y.offset".to_owned();
    assert_eq!(why(&more), "it holds `param/y.bias`, which this model does not have");
    let mut more = fake::border(3, 2);
    more.params.push(Array { path: crate::graph::Path("z".into()), ..more.params[1].clone() });
    assert_eq!(why(&more), "it does not hold `param/z`");
    fs::write(&path, b"hello, this is no tensor file").expect("written");
    assert!(why(border).starts_with("it is damaged"));
    assert!(save(&folder.path().join("none/a"), &session, &facts()).is_err());
}

#[test]
fn any_changed_byte_and_any_cut_is_refused() {
    let session = fake::session(3, 2, Precision::F32, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.safetensors");
    save(&path, &session, &facts()).expect("written");
    let whole = fs::read(&path).expect("there");
    assert!(open(&whole).is_ok());
    let mut bytes = whole.clone();
    for at in 0..bytes.len() {
        // One bit, the case of a letter, the highest bit, all bits.
        for change in [0x01, 0x20, 0x80, 0xff] {
            bytes[at] ^= change;
            assert!(open(&bytes).is_err(), "byte {at} changed by {change:#x}");
            bytes[at] ^= change;
        }
    }
    for length in 0..whole.len() {
        let why = open(&whole[..length]).expect_err("cut");
        assert!(why.starts_with("it is damaged or cut short: "), "{length}: {why}");
    }
    let longer = [&whole[..], b" "].concat();
    assert!(open(&longer).is_err());
    let mut last = whole.clone();
    *last.last_mut().expect("not empty") ^= 1;
    fs::write(&path, &last).expect("written");
    let said = load(&path, session.border()).expect_err("damaged").to_string();
    let file = path.display();
    let why = "it is damaged: its bytes are not those that were written, by their checksum";
    assert_eq!(said, format!("{file} cannot be used: {why}"));
}

#[test]
fn what_a_killed_write_has_left_is_swept_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str| fs::write(folder.path().join(name), b"x").expect("written");
    let stay = ["run.ron", ".hidden", "a.12.tmp", ".a.tmp", ".a.b.tmp"];
    stay.iter().for_each(|name| put(name));
    put(".checkpoint.safetensors.4711.tmp");
    put(".run.ron.1.tmp");
    sweep(folder.path());
    let mut left: Vec<String> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("plain"))
        .collect();
    left.sort();
    let mut stay: Vec<&str> = stay.to_vec();
    stay.sort_unstable();
    assert_eq!(left, stay);
}
