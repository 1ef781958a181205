//! The laws of the formatter: formatting twice is formatting once, every comment stays, and the
//! tree does not change.

use ntmc::syntax;
use proptest::prelude::*;

use crate::support::{check_format, plain, root, specs_below, tree};
use crate::trees;

#[test]
fn formatting_keeps_the_laws_on_every_file_we_have() {
    for folder in ["tests/ok", "specs", "src/std"] {
        for path in specs_below(folder) {
            check_format(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn good_files_are_in_canonical_form() {
    for path in specs_below("tests/ok") {
        // Shows comments where the formatter moves them.
        if path.ends_with("comments.ntm") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(syntax::format(&tree(&text)), text, "{}", path.display());
    }
}

#[test]
fn comments_find_their_place() {
    let text = std::fs::read_to_string(root().join("tests/ok/comments.ntm")).unwrap();
    insta::assert_snapshot!(syntax::format(&tree(&text)));
}

#[test]
fn trees_print_as_a_sketch() {
    for name in ["precedence", "heads", "train-settings", "dim-lists"] {
        let text = std::fs::read_to_string(root().join(format!("tests/ok/{name}.ntm"))).unwrap();
        insta::assert_snapshot!(name, syntax::outline(&tree(&text)));
    }
}

#[test]
fn operators_group_as_on_paper() {
    let cases = [
        ("-a ^ 2", "(- (^ a 2))"),
        ("a ^ b ^ c", "(^ a (^ b c))"),
        ("a - b - c", "(- (- a b) c)"),
        ("2 ^ -a * b", "(* (^ 2 (- a)) b)"),
        ("sum[i] a[i] * b + c", "(+ (sum[i] (* a[i] b)) c)"),
        ("a * sum[i] b[i] * c", "(* a (sum[i] (* b[i] c)))"),
        ("not a == b and c or d", "(or (and (not (== a b)) c) d)"),
        ("a mod b * c", "(* (mod a b) c)"),
        ("-prev u + 1", "(+ (- (prev u)) 1)"),
        ("a + b -> f -> g(c)", "(-> (-> (+ a b) f) g(c))"),
        ("if a then b else c -> f", "(if a b (-> c f))"),
        ("for i: a[i] -> f", "(for i: (-> a[i] f))"),
        ("max(a, b) - max[j < i] v[j]", "(- max(a, b) (max[j < i] v[j]))"),
        ("modulus mod header", "(mod modulus header)"),
    ];
    for (text, sketch) in cases {
        let tree = tree(&format!("ntm 1\ndef f(x) -> y = {text}\n"));
        let outline = syntax::outline(&tree);
        assert_eq!(outline.lines().last(), Some(format!("  is {sketch}").as_str()), "{text}");
    }
}

#[test]
fn blanks_do_not_outgrow_what_is_written() {
    let formatted = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("i{at:03}")).collect();
        let names = names.join(", ");
        let text = format!("ntm 1\ndef f(x) -> y = sum[{names}] x[{names}]\n");
        let once = syntax::format(&tree(&text));
        assert_eq!(syntax::format(&tree(&once)), once);
        once.len()
    };
    assert!(formatted(128) < 3 * formatted(64));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_tree_survives_printing(file in trees::file()) {
        let text = syntax::format(&file);
        let read = tree(&text);
        prop_assert_eq!(plain(&file), plain(&read), "{}", text);
        check_format(&text);
    }

    #[test]
    fn any_comment_stays(
        file in trees::file(),
        places in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8), 0..12),
    ) {
        let text = syntax::format(&file);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (number, (place, kind)) in places.iter().enumerate() {
            let at = place.index(lines.len());
            match kind {
                // A `##` line would swallow a comment at its end.
                0 if !lines[at].contains('#') => lines[at] += &format!(" # behind {number}"),
                0 | 1 => lines.insert(at, format!("# above {number}")),
                2 => lines.insert(at, String::new()),
                _ => lines.insert(at + 1, format!("   # below {number}")),
            }
        }
        check_format(&lines.join("\n"));
    }

    #[test]
    fn any_text_gives_messages_and_no_panic(text in "(ntm 1\n)?[a-z_0-9=+*/^<>.,:;(){}\\[\\] \"#\n-]{0,200}") {
        let (sources, found) = crate::support::diagnose_text(&text);
        crate::support::rendered(&sources, &found);
    }

    #[test]
    fn any_words_give_messages_and_no_panic(words in prop::collection::vec(prop::sample::select(vec![
        "ntm 1\n", "def ", "model ", "train ", "f", "x", "(", ")", "[", "]", "{", "}", "=", "->", "\n",
        "head ", "state ", "emit ", "if ", "then ", "else ", "for ", ":", ",", "sum[i] ", "prev ", "1",
        "..", ".", "##doc\n", "# note\n", "==", ";", ":=", "use ", "on ", "elsewhere ", "\"", "%", "é",
    ]), 0..60)) {
        let (sources, found) = crate::support::diagnose_text(&words.concat());
        crate::support::rendered(&sources, &found);
    }
}
