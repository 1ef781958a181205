//! How messages look on a terminal: tabs, wide characters, line ends of other systems, long lines.

use crate::support::on_a_terminal;

/// Columns of a line on a terminal up to the first place of a word; Han and kana take two.
fn column(line: &str, word: &str) -> usize {
    let before = &line[..line.find(word).unwrap_or_else(|| panic!("no {word} in {line}"))];
    before.chars().map(|c| if c >= '\u{3000}' { 2 } else { 1 }).sum()
}

/// Asserts that the marks stand below the wrong word.
fn check_below(text: &str, word: &str, marks: &str) {
    let drawn = on_a_terminal(text);
    let lines: Vec<&str> = drawn.lines().collect();
    let at =
        lines.iter().position(|line| line.contains(marks)).unwrap_or_else(|| panic!("{drawn}"));
    assert_eq!(column(lines[at], marks), column(lines[at - 1], word), "{drawn}");
    assert!(!drawn.contains('\t') && !drawn.contains('\r'), "{drawn:?}");
}

#[test]
fn marks_stand_below_what_is_wrong() {
    let block = |line: &str| format!("ntm 1\nmodel m(x[3]) -> y[3] {{\n{line}\n}}\n");
    check_below(&block("\ty\t=\tx + quite"), "quite", "^^^^^ not");
    check_below(&block("  重み = x\n  y = 重み + quite"), "quite", "^^^^^ not");
    check_below(&block("  重み = x\n  y = 重み + 重さ"), "重さ", "^^^^ not");
    check_below(&block("  y = x + quite").replace('\n', "\r\n"), "quite", "^^^^^ not");
}

#[test]
fn long_lines_are_cut_around_what_is_wrong() {
    let many = |sign: &str| vec!["x[i] > 0"; 40].join(sign);
    let text = format!(
        "ntm 1\nmodel m(x[3]) -> y {{\n  weight = x\n  y = sum[i] (if {} then wieght[i] else {}) \
         + 0\n}}\n",
        many(" and "),
        vec!["1"; 50].join(" - ")
    );
    check_below(&text, "wieght", "^^^^^^ not");
    let drawn = on_a_terminal(&text);
    assert!(drawn.lines().all(|line| line.chars().count() < 200), "{drawn}");
    // Both places are shown, and what was meant.
    for told in ["`weight` is declared here", "did you mean `weight`?"] {
        assert!(drawn.contains(told), "{drawn}");
    }
}
