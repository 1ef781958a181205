//! Diagnostics as annotations of a GitHub workflow.

use super::{Diagnostic, Diagnostics};
use crate::source::{Places, Sources};

/// One workflow command a line for each diagnostic, in source order.
///
/// What the text form draws (secondary labels, help) follows the message on lines of its own.
#[must_use]
pub fn github(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let places = sources.places();
    diagnostics.sorted().into_iter().map(|one| annotation(one, sources, &places)).collect()
}

fn annotation(one: &Diagnostic, sources: &Sources, places: &Places<'_>) -> String {
    let span = one.primary.span;
    let (source, lines) = (sources.get(span.file), places.of(span.file));
    let (line, column) = lines.position(span.start);
    let (end_line, end_column) = lines.position(span.end);
    let mut message = one.message.clone();
    if !one.primary.text.is_empty() {
        message += &format!("\n{}", one.primary.text);
    }
    for label in one.others.iter().filter(|label| !label.text.is_empty()) {
        let source = sources.get(label.span.file);
        let (line, column) = places.of(label.span.file).position(label.span.start);
        message += &format!("\n{}:{line}:{column}: {}", source.name, label.text);
    }
    if let Some(help) = &one.help {
        message += &format!("\nhelp: {help}");
    }
    let level = if one.code.is_warning() { "notice" } else { "error" };
    format!(
        "::{level} file={},line={line},col={column},endLine={end_line},endColumn={end_column},\
         title={}::{}\n",
        property(&source.name),
        property(one.code.0),
        data(&message)
    )
}

/// An error that stands in no file.
#[must_use]
pub fn github_plain(message: &str) -> String {
    format!("::error title=ntmc::{}\n", data(message.trim_end()))
}

/// The text after `::` as a workflow command takes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property as a workflow command takes it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Source, Span};

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let mut sources = Sources::default();
        let file = sources.add(Source::new("a,b:c%.ntm", "x = β\ny = 1\n"));
        let mut found = Diagnostics::default();
        let span = Span { file, start: 4, end: 12 };
        found.push(Diagnostic::new("E0999", "100 %\r\n: wrong", span, "").help("a::b"));
        assert_eq!(
            github(&found, &sources),
            "::error file=a%2Cb%3Ac%25.ntm,line=1,col=5,endLine=2,endColumn=6,title=E0999::100 \
             %25%0D%0A: wrong%0Ahelp: a::b\n"
        );
        assert_eq!(file, FileId(0));
    }
}
