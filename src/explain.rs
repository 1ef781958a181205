//! The pages of `ntmc explain`: one Markdown file a code in `src/explain`.
//!
//! In: the files, embedded. Out: [`Page`]s. A page begins with `# CODE: title`, says what the message
//! means and why the language has the rule, and ends with `## Wrong` and `## Right`, each with one
//! fenced example. Invariant: every code of the compiler has a page, and every page a code (a test).

use std::sync::LazyLock;

use include_dir::{Dir, File, include_dir};

static FOLDER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/explain");

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// The code.
    pub code: &'static str,
    /// What the message is about, in a few words.
    pub title: &'static str,
    /// The whole page, in Markdown.
    pub text: &'static str,
    /// What stands under `## Wrong`, if anything does.
    pub wrong: Option<Example>,
    /// What stands under `## Right`, if anything does.
    pub right: Option<Example>,
}

/// A fenced example: `ntm`, perhaps with options of the command line, and the text.
#[derive(Clone, Debug)]
pub struct Example {
    /// What follows `ntm` on the fence: `--set N=2.5`.
    pub options: Vec<&'static str>,
    /// The spec.
    pub spec: &'static str,
}

/// Every page, by code.
pub static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let mut all: Vec<Page> = FOLDER.files().filter_map(page).collect();
    all.sort_by_key(|page| page.code);
    all
});

/// The page of a code, however it is capitalised.
#[must_use]
pub fn find(code: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.code.eq_ignore_ascii_case(code))
}

fn page(file: &'static File<'static>) -> Option<Page> {
    let code = file.path().file_stem()?.to_str()?;
    let text = file.contents_utf8()?;
    let title = text.lines().next()?.strip_prefix("# ")?.split_once(": ")?.1;
    Some(Page { code, title, text, wrong: example(text, "Wrong"), right: example(text, "Right") })
}

/// The first fence under a heading.
fn example(text: &'static str, heading: &str) -> Option<Example> {
    let (_, under) = text.split_once(&format!("\n## {heading}\n"))?;
    let under = under.split("\n## ").next()?;
    let (_, fenced) = under.split_once("```ntm")?;
    let (options, rest) = fenced.split_once('\n')?;
    let (spec, _) = rest.split_once("```")?;
    Some(Example { options: options.split_whitespace().collect(), spec })
}

/// A page for a terminal: examples are indented rather than fenced.
#[must_use]
pub fn plain(page: &Page) -> String {
    let (mut out, mut fenced) = (String::new(), false);
    for line in page.text.lines() {
        if let Some(options) = line.strip_prefix("```") {
            fenced = !fenced;
            if let Some(options) = options.strip_prefix("ntm ") {
                out.push_str(&format!("    # with {options}\n"));
            }
        } else if fenced && !line.is_empty() {
            out.push_str(&format!("    {line}\n"));
        } else {
            out.push_str(line.trim_start_matches('#').trim_start());
            out.push('\n');
        }
    }
    out
}
