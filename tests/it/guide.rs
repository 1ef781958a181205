//! Every code block of the guide and the reference: specs check, mistakes give the message they
//! are shown for, commands print what stands below them.
//!
//! How a block is read follows from the words after its three backticks:
//!
//! - `ntm`: a whole file without mistakes; with a file name, commands further down can use it;
//!   with a code, the file gives just that code. A block that is no whole file is put where `...`
//!   stands in the comment `<!-- in: ... -->` before it.
//! - `sh`: commands of `ntmc`, run in the folder of the named files; one that shall fail ends in
//!   `# exit N`.
//! - `text` right after `sh`: what the commands print; a line `...` stands for any lines.
//!   `NTMC_BLESS=1` writes what they print, where there is no such line.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{diagnose_beside, rendered, root};

struct Block {
    /// The words after the backticks.
    info: Vec<String>,
    text: String,
    /// The comment right before it.
    around: Option<String>,
    /// The lines of the document between the fences.
    lines: std::ops::Range<usize>,
}

fn blocks(document: &str) -> Vec<Block> {
    let lines: Vec<&str> = document.lines().collect();
    let mut out = Vec::new();
    let mut around: Option<String> = None;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if let Some(start) = line.strip_prefix("<!-- in:") {
            let end = (at..lines.len()).find(|at| lines[*at].contains("-->")).unwrap();
            let mut text = vec![start];
            text.extend(&lines[at + 1..=end]);
            around = Some(text.join("\n").replace("-->", ""));
            at = end;
        } else if let Some(info) = line.strip_prefix("```") {
            let end = (at + 1..lines.len()).find(|at| lines[*at] == "```").unwrap();
            out.push(Block {
                info: info.split(' ').map(str::to_owned).collect(),
                text: lines[at + 1..end].join("\n") + "\n",
                around: around.take(),
                lines: at + 1..end,
            });
            at = end;
        } else if !line.is_empty() {
            around = None;
        }
        at += 1;
    }
    out
}

fn check_spec(place: &str, block: &Block) {
    let text = match &block.around {
        Some(around) => {
            assert!(around.contains("..."), "{place}: no place for the block in the comment");
            format!("{}\n", around.replacen("...", &block.text, 1))
        }
        None => block.text.clone(),
    };
    let (sources, sink) = diagnose_beside(&root().join("tests/err/block.ntm"), &text);
    let mut found: Vec<&str> = sink.sorted().into_iter().map(|one| one.code.0).collect();
    found.dedup();
    let code = block.info.iter().find(|word| word.starts_with('E') || word.starts_with('W'));
    let expected: Vec<&str> = code.into_iter().map(String::as_str).collect();
    assert_eq!(found, expected, "{place}\n{}\n{text}", rendered(&sources, &sink));
}

/// What one command prints, first to standard output, then to standard error.
fn run(folder: &Path, line: &str) -> String {
    let (command, code) = line.split_once(" # exit ").unwrap_or((line, "0"));
    let words: Vec<String> = shell_words(command);
    assert_eq!(words[0], "ntmc", "{line}");
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(&words[1..])
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let shown =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), code.trim().parse().ok(), "{line}\n{shown}");
    shown
}

/// Words divided by blanks, with single quotes around those that hold blanks.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, piece) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Whether lines are as shown, `...` standing for any number of them.
fn matches(shown: &[&str], printed: &[&str]) -> bool {
    match shown {
        [] => printed.is_empty(),
        ["...", rest @ ..] => (0..=printed.len()).any(|skip| matches(rest, &printed[skip..])),
        [first, rest @ ..] => {
            printed.first().is_some_and(|line| line.trim_end() == first.trim_end())
                && matches(rest, &printed[1..])
        }
    }
}

fn check_document(name: &str) {
    let path = root().join(name);
    let document = fs::read_to_string(&path).unwrap();
    let bless = std::env::var_os("NTMC_BLESS").is_some();
    let mut lines: Vec<String> = document.lines().map(str::to_owned).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut printed: Option<String> = None;
    let mut blessed: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    let (mut specs, mut commands) = (0, 0);
    for block in blocks(&document) {
        let place = format!("{name}:{}", block.lines.start + 1);
        match block.info[0].as_str() {
            "ntm" => {
                check_spec(&place, &block);
                specs += 1;
                if let Some(file) = block.info.iter().find(|word| word.ends_with(".ntm")) {
                    fs::write(folder.path().join(file), &block.text).unwrap();
                }
            }
            "sh" => {
                let all = block.text.lines().map(|line| run(folder.path(), line));
                printed = Some(all.collect::<Vec<_>>().concat());
                commands += block.text.lines().count();
            }
            "text" => {
                let printed =
                    printed.take().unwrap_or_else(|| panic!("{place}: no command before it"));
                let shown: Vec<&str> = block.text.trim_end().lines().collect();
                let real: Vec<&str> = printed.trim_end().lines().collect();
                if !matches(&shown, &real) {
                    assert!(bless, "{place}: printed is\n{printed}\nshown is\n{}", block.text);
                    assert!(!shown.contains(&"..."), "{place}: shorten by hand:\n{printed}");
                    blessed.push((block.lines, printed));
                }
            }
            "ron" => printed = None,
            other => panic!("{place}: a block of `{other}`"),
        }
    }
    for (range, text) in blessed.into_iter().rev() {
        let new: Vec<String> =
            text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect();
        lines.splice(range, new);
    }
    if bless {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    assert!(specs >= 10, "{name}: only {specs} specs, {commands} commands");
}

#[test]
fn every_block_of_the_guide_holds() {
    check_document("docs/guide.md");
}

#[test]
fn every_block_of_the_reference_holds() {
    check_document("docs/reference.md");
}

#[test]
fn the_guide_is_short() {
    // A page holds some 50 lines and 3,000 characters; the guide at most 15 pages.
    let guide = fs::read_to_string(root().join("docs/guide.md")).unwrap();
    assert!(guide.lines().count() <= 15 * 50 && guide.chars().count() <= 15 * 3_000);
}

/// The definitions of a module as the reference lists them: the signature on one line, then the
/// documentation.
fn listed(module: &str) -> Vec<String> {
    let (mut docs, mut out) = (Vec::new(), Vec::new());
    let mut lines = module.lines();
    while let Some(line) = lines.next() {
        match line.strip_prefix("## ") {
            Some(doc) => docs.push(doc.trim()),
            None if line.starts_with("def ") => {
                let mut text = line.to_owned();
                // The end of a signature is the first `{` or `=` outside of brackets.
                let signature = loop {
                    let mut depth = 0;
                    let end = text.find(|letter: char| {
                        depth +=
                            i32::from("([".contains(letter)) - i32::from(")]".contains(letter));
                        depth == 0 && "{=".contains(letter)
                    });
                    if let Some(end) = end {
                        break text[..end].split_whitespace().collect::<Vec<_>>().join(" ");
                    }
                    text = format!("{text} {}", lines.next().expect("a signature has an end"));
                };
                out.push(format!("- `{signature}`: {}", docs.join(" ")));
                docs.clear();
            }
            None => docs.clear(),
        }
    }
    out
}

#[test]
fn the_reference_lists_every_definition_of_std() {
    let document = fs::read_to_string(root().join("docs/reference.md")).unwrap();
    let section = document.split("## 15. The standard library").nth(1).unwrap();
    let mut written =
        section.lines().filter(|line| line.starts_with("- ") || line.starts_with('`'));
    let mut paths: Vec<_> =
        fs::read_dir(root().join("src/std")).unwrap().map(|one| one.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let heading = format!("`std.{}`:", path.file_stem().unwrap().to_str().unwrap());
        assert_eq!(written.next(), Some(heading.as_str()));
        for line in listed(&fs::read_to_string(&path).unwrap()) {
            assert_eq!(written.next(), Some(line.as_str()), "{}", path.display());
        }
    }
    assert_eq!(written.next(), None);
}
