//! Reading specs and texts from disk or standard input, and the modules beside them.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::directory::MODULES;
use crate::backend::Budget;
use crate::compile::{Choice, Choices, Purpose, Spec};
use crate::error::Error;
use crate::model::library::Library;
use crate::source::Source;

/// The largest text that is read: one byte more than the checker accepts, so that it can refuse it.
const MOST_BYTES: u64 = 64 << 20;

/// A text from a path, or from standard input for `-`.
///
/// # Errors
/// If it is missing, a directory, too large, or not UTF-8.
pub(super) fn text(path: &str) -> Result<String, Error> {
    let wrong = |message: String| Error::File { path: PathBuf::from(path), message };
    let mut bytes = Vec::new();
    if path == "-" {
        let mut input = std::io::stdin().lock().take(MOST_BYTES);
        input.read_to_end(&mut bytes).map_err(|why| wrong(why.to_string()))?;
    } else {
        let about = std::fs::metadata(path).map_err(|why| {
            let missing = why.kind() == std::io::ErrorKind::NotFound;
            wrong(if missing { "there is no such file".to_owned() } else { why.to_string() })
        })?;
        if about.is_dir() {
            return Err(wrong("this is a directory, not a file".to_owned()));
        }
        if about.len() > MOST_BYTES {
            let message = format!("{path}: larger than {} MiB", MOST_BYTES >> 20);
            return Err(Error::Limit(message));
        }
        bytes = std::fs::read(path).map_err(|why| wrong(why.to_string()))?;
    }
    String::from_utf8(bytes).map_err(|why| {
        let at = why.utf8_error().valid_up_to();
        wrong(format!("not UTF-8: byte {at} cannot be read as text"))
    })
}

/// Modules in the folder of a spec, or, for the spec of a run, in a folder of their own there.
pub(super) struct Beside(PathBuf);

impl Library for Beside {
    fn source(&self, module: &str) -> Option<Source> {
        ["", MODULES].into_iter().find_map(|folder| {
            let path = self.0.join(module_file(folder, module));
            let text = std::fs::read_to_string(&path).ok()?;
            Some(Source::new(path.display().to_string(), text))
        })
    }
}

/// The file of a module below a folder: `mine/access.ntm` for `mine.access`.
pub(super) fn module_file(folder: &str, module: &str) -> String {
    let file = format!("{}.ntm", module.replace('.', "/"));
    if folder.is_empty() { file } else { format!("{folder}/{file}") }
}

/// Reads and checks a spec.
///
/// # Errors
/// What is wrong with the file or the spec.
pub(super) fn spec(path: &str) -> Result<Spec, Error> {
    let name = if path == "-" { "standard input" } else { path };
    let folder = Path::new(path).parent().map(Path::to_path_buf).unwrap_or_default();
    Spec::read(Source::new(name, text(path)?), &Beside(folder))
}

/// A spec, what is chosen in it, and what its task binds.
///
/// # Errors
/// What is wrong with either.
pub(super) fn chosen(path: &str, choices: &Choices) -> Result<(Spec, Choice, Purpose), Error> {
    let mut spec = spec(path)?;
    let choice = spec.choose(choices)?;
    let purpose = spec.purpose(&choice)?;
    Ok((spec, choice, purpose))
}

/// How something fits into this machine's memory, or into as much of it as it may take. `plan` says how it
/// fits into so many bytes.
///
/// # Errors
/// With both figures, where it does not.
pub(super) fn within_memory(
    most: Option<u64>,
    what: &str,
    plan: impl FnOnce(u64) -> Budget,
) -> Result<Budget, Error> {
    let free = free_memory();
    let limit = most.map_or(free, |most| most.min(free));
    let budget = plan(limit);
    if budget.bytes <= limit {
        return Ok(budget);
    }
    let (need, have) = (size(budget.bytes), size(limit));
    let (have, more) = match most {
        Some(most) if most < free => (format!("`--memory` allows {have}"), "more memory, "),
        Some(_) | None => (format!("{have} are free"), ""),
    };
    Err(Error::Limit(format!(
        "{what} needs {need} at least, and {have}\nhelp: choose {more}smaller sizes, a smaller batch, or \
         shorter sequences"
    )))
}

/// Free memory in bytes, or 8 GiB where the system does not say.
pub(super) fn free_memory() -> u64 {
    let told = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    told.map_or(8 << 30, |kib| kib.saturating_mul(1024))
}

/// A number of bytes: `512MiB`, `4GB`, `2g`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 =
        digits.parse().map_err(|_| "a number with MiB or GiB, such as 4GiB".to_owned())?;
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "kb" => 1e3,
        "m" | "mib" => 1024.0 * 1024.0,
        "mb" => 1e6,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "gb" => 1e9,
        _ => return Err("the unit is KiB, MiB or GiB, as in 4GiB".to_owned()),
    };
    let all = number * unit;
    if !(all.is_finite() && all >= 1.0) {
        return Err("memory is at least a byte".to_owned());
    }
    Ok(all as u64)
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", units[unit]) }
}
