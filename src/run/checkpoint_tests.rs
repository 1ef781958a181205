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
        assert_eq!(loaded.params, session.params());
        assert_eq!(loaded.slots, session.slots());
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
    let bytes = fs::read(&path).expect("there");
    for length in [0, 7, 40, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).expect("written");
        assert!(why(border).starts_with("it is damaged or cut short"), "{length}");
    }
    fs::write(&path, b"hello, this is no tensor file").expect("written");
    assert!(why(border).starts_with("it is damaged"));
    assert!(save(&folder.path().join("none/a"), &session, &facts()).is_err());
}
