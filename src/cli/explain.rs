//! `ntmc explain`: what a code means, why, and how to do it right.

use serde_json::json;

use super::print;
use crate::diag::nearest;
use crate::error::Error;
use crate::explain::{PAGES, Page, find, plain};

/// Explain the code of a message
///
/// Says what it means and why the language has this rule, with a wrong and a right example. Without a
/// code, lists all of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc explain E0202\n  ntmc explain | grep index\n  \
    ntmc explain E0202 --json")]
pub(super) struct Args {
    /// The code, for example `E0202`
    code: Option<String>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let Some(code) = &args.code else { return list(args.json) };
    let page = find(code).ok_or_else(|| unknown(code))?;
    if args.json { print(&format!("{}\n", object(page))) } else { print(&plain(page)) }
}

fn list(json: bool) -> Result<(), Error> {
    if json {
        let codes: Vec<_> =
            PAGES.iter().map(|page| json!({ "code": page.code, "title": page.title })).collect();
        return print(&format!("{}\n", json!({ "schema": 1, "codes": codes })));
    }
    let lines: String =
        PAGES.iter().map(|page| format!("{}  {}\n", page.code, page.title)).collect();
    print(&lines)
}

fn object(page: &Page) -> serde_json::Value {
    json!({
        "schema": 1,
        "code": page.code,
        "title": page.title,
        "page": page.text,
        "wrong": page.wrong.as_ref().map(|example| example.spec),
        "right": page.right.as_ref().map(|example| example.spec),
    })
}

fn unknown(code: &str) -> Error {
    let help = match nearest(code, PAGES.iter().map(|page| page.code)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`ntmc explain` lists all codes".to_owned(),
    };
    Error::Usage(format!("no code `{code}`\nhelp: {help}"))
}
