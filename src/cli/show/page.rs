//! `report.html`: a run on one page that needs nothing else.
//!
//! Pictures are part of the page, there is no script, and colours follow the reader's setting. Nothing
//! on it depends on a clock: equal runs give equal pages.

use super::panels::{self, NARROW};
use super::{Shown, values::Traced};
use crate::cli::directory::Manifest;
use crate::model::flat::Model;
use crate::tensor::Tensor;
use crate::train::figure::{Curve, Panel, Series, Style, curve, escape, heat, inline};
use crate::train::{Clip, Evaluation, Line, Settings};

/// What the page is about.
pub(in crate::cli) struct Page<'r> {
    /// What was run.
    pub(in crate::cli) manifest: &'r Manifest,
    /// The settings in numbers.
    pub(in crate::cli) settings: &'r Settings,
    /// The model.
    pub(in crate::cli) model: &'r Model,
    /// Number of parameters.
    pub(in crate::cli) parameters: usize,
    /// Steps and sequences so far.
    pub(in crate::cli) trained: (u64, u64),
    /// Every line of metrics.
    pub(in crate::cli) lines: &'r [Line],
    /// The last evaluation.
    pub(in crate::cli) evaluation: Option<Evaluation>,
    /// One episode.
    pub(in crate::cli) shown: &'r Shown,
    /// The spec in full.
    pub(in crate::cli) spec: &'r str,
}

const HEAD: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// The page.
pub(in crate::cli) fn html(page: &Page) -> String {
    let name = format!("{} on {}", page.manifest.model, page.settings.goal());
    let mut out = format!(
        "{HEAD}<title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
        escape(&name)
    );
    out.push_str(&format!("<p>{}</p>\n", escape(&outcome(page))));
    out.push_str(&facts(page));
    let note = format!("Thick: the mean of the last {SMOOTH} lines of metrics.jsonl.");
    section(&mut out, "Learning", &note, &curves(page));
    let note = "What was shown, what was asked, what was answered. Grey: nothing is asked. A cross \
                marks an answer that is wrong.";
    section(&mut out, "A new episode", note, &maps(panels::episode(page.shown)));
    let note = "How much each location counts at each step.";
    section(&mut out, "Weightings over time", note, &maps(panels::weightings(page.shown, false)));
    let last = page.shown.episode.steps().saturating_sub(1);
    let memories = panels::memories(page.shown, &[last]).into_iter().flatten().collect();
    section(&mut out, "Memory", "After the last step of the episode.", &maps(memories));
    out.push_str(&interface(page));
    out.push_str(&format!(
        "<h2>Spec</h2>\n<pre>{}</pre>\n</body>\n</html>\n",
        escape(page.spec.trim_end())
    ));
    out
}

/// A heading and pictures, unless there are none.
fn section(out: &mut String, title: &str, note: &str, pictures: &[String]) {
    if pictures.is_empty() {
        return;
    }
    out.push_str(&format!("<h2>{title}</h2>\n"));
    if !note.is_empty() {
        out.push_str(&format!("<p class=\"soft\">{note}</p>\n"));
    }
    out.push_str("<div class=\"grid\">\n");
    for picture in pictures {
        out.push_str(&format!("<figure>\n{picture}</figure>\n"));
    }
    out.push_str("</div>\n");
}

fn maps(panels: Vec<Panel>) -> Vec<String> {
    let map = |panel: Panel| {
        let title = panel.title.clone();
        inline(&heat("", &[vec![panel]], NARROW), &title)
    };
    panels.into_iter().map(map).collect()
}

/// One sentence: how well it does.
fn outcome(page: &Page) -> String {
    let (steps, sequences) = page.trained;
    let trained = format!("after {steps} steps on {sequences} sequences");
    let Some(found) = page.evaluation else { return format!("Trained so far: {trained}.") };
    let error = |error: Option<f64>| {
        error.map_or(String::new(), |error| format!(" \u{b1} {}", number(error)))
    };
    format!(
        "{}{} {} and {}{} bits per sequence on {} new episodes, {trained}.",
        number(found.score),
        error(found.score_error),
        page.settings.goal().task.score.unit,
        number(bits(found.loss)),
        error(found.loss_error.map(bits)),
        found.episodes,
    )
}

/// What was run.
fn facts(page: &Page) -> String {
    let Page { manifest, settings, model, .. } = page;
    let sizes: Vec<String> =
        model.sizes.iter().map(|(name, size)| format!("{name} = {size}")).collect();
    let clip = settings.clip.map_or("none".to_owned(), |clip| match clip {
        Clip::Value(limit) => format!("value({limit})"),
        Clip::Norm(limit) => format!("norm({limit})"),
    });
    let drawn = model.states.iter().filter(|state| state.draw.is_some()).count();
    let mut rows = vec![
        ("model", manifest.model.clone()),
        ("sizes", sizes.join(", ")),
        ("parameters", format!("{} in {} arrays", page.parameters, model.params.len())),
        ("tasks", manifest.tasks.join(", then ")),
        ("steps, sequences a step", format!("{}, {}", page.trained.0, manifest.batch)),
        ("learning rate at first", settings.rate_at(0).to_string()),
        ("clipping", clip),
        ("seed", manifest.seed.to_string()),
        ("computed by", format!("{}, {}", manifest.backend, manifest.precision)),
        ("machine", manifest.machine.clone()),
        ("ntmc", manifest.version.clone()),
        ("digest of the spec", manifest.digest.clone()),
    ];
    if !manifest.sets.is_empty() {
        rows.insert(3, ("set", manifest.sets.join(", ")));
    }
    if drawn > 0 {
        rows.insert(3, ("states drawn anew in every episode", drawn.to_string()));
    }
    let row = |(name, value): &(&str, String)| {
        format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(value))
    };
    let rows: String = rows.iter().map(row).collect();
    format!("<h2>What was run</h2>\n<dl>\n{rows}</dl>\n")
}

fn bits(nats: f64) -> f64 {
    nats / std::f64::consts::LN_2
}

/// Loss and score against sequences.
fn curves(page: &Page) -> Vec<String> {
    let unit = page.settings.goal().task.score.unit;
    let size = (NARROW + 20.0, 160.0);
    let all = [loss(page.lines), score(page.lines, unit)].map(|chart| Curve { size, ..chart });
    all.iter().map(|chart| inline(&curve(chart), &chart.y)).collect()
}

/// Loss in bits per sequence against sequences.
pub(in crate::cli) fn loss(lines: &[Line]) -> Curve {
    let training = |line: &Line| line.bits_per_sequence;
    chart("loss in bits per sequence", lines, training, |found| bits(found.loss))
}

/// The score against sequences.
pub(in crate::cli) fn score(lines: &[Line], unit: &str) -> Curve {
    chart(unit, lines, |line| line.score, |found| found.score)
}

/// How many lines a smooth curve averages over.
const SMOOTH: usize = 20;

fn chart(
    y: &str,
    lines: &[Line],
    training: impl Fn(&Line) -> f64,
    evaluated: impl Fn(&crate::train::Evaluated) -> f64,
) -> Curve {
    let at = |line: &Line| line.sequences as f64;
    let points: Vec<_> = lines.iter().map(|line| (at(line), training(line))).collect();
    let mean = |end: usize| {
        let window = &points[(end + 1).saturating_sub(SMOOTH)..=end];
        let sum: f64 = window.iter().map(|(_, y)| y).sum();
        (points[end].0, sum / window.len() as f64)
    };
    let smooth = (0..points.len()).map(mean).collect();
    let found =
        lines.iter().filter_map(|line| Some((at(line), evaluated(line.evaluation.as_ref()?))));
    let series = |name: &str, points, style| Series { name: name.to_owned(), points, style };
    let dots = series("evaluation", found.collect(), Style::Dots);
    let smooth = series("mean", smooth, Style::Line);
    Curve {
        title: String::new(),
        x: "sequences".to_owned(),
        y: y.to_owned(),
        series: vec![series("training", points, Style::Thin), smooth, dots],
        size: (panels::WIDE, 240.0),
    }
}

/// What numbers are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) struct Statistics {
    pub(in crate::cli) least: f64,
    pub(in crate::cli) mean: f64,
    pub(in crate::cli) most: f64,
    pub(in crate::cli) deviation: f64,
}

impl Statistics {
    pub(in crate::cli) fn of(values: &Tensor) -> Statistics {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        Statistics {
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            mean,
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            deviation: square.sqrt(),
        }
    }
}

/// Every emission over the episode, after the map of its domain.
fn interface(page: &Page) -> String {
    let traced = page.shown.values.iter().filter(|one| one.emitted);
    let shape = |values: &Tensor| {
        let sizes: Vec<String> = values.shape()[1..].iter().map(usize::to_string).collect();
        if sizes.is_empty() { "1".to_owned() } else { sizes.join(" \u{d7} ") }
    };
    let row = |name: &str, values: &Tensor| {
        let Statistics { least, mean, most, deviation } = Statistics::of(values);
        let numbers: String = [least, mean, most, deviation]
            .iter()
            .map(|one| format!("<td>{}</td>", number(*one)))
            .collect();
        format!("<tr><td>{}</td><td>{}</td>{numbers}</tr>\n", escape(name), shape(values))
    };
    // The output is emitted before the map of its domain; what leaves the model is what counts.
    let output = page.model.emissions.iter().find(|one| one.path == output_path(page.model));
    let is_output = |one: &&Traced| output.is_none_or(|output| output.path != one.path);
    let mut rows: String =
        traced.filter(is_output).map(|one| row(&one.path, &one.values)).collect();
    if let Some(output) = output {
        rows.push_str(&row(&output.path, &page.shown.output));
    }
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<h2>Interface</h2>\n<p class=\"soft\">What the network emits, over the steps of the episode \
         and after the map of each domain.</p>\n<div class=\"wide\"><table>\n<tr><th>value</th>\
         <th>size</th><th>least</th><th>mean</th><th>most</th><th>deviation</th></tr>\n\
         {rows}</table></div>\n"
    )
}

/// The path of the output before the map of its domain.
fn output_path(model: &Model) -> &str {
    let path = model.values.get(model.output as usize).map_or("", |value| value.path.as_str());
    path.strip_suffix(".squashed").unwrap_or(path)
}

/// A number in few characters.
fn number(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e5).contains(&value.abs()) {
        format!("{value:.2e}")
    } else {
        let digits = if value.abs() >= 100.0 { 1 } else { 3 };
        let text = format!("{value:.digits$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}
