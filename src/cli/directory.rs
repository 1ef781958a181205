//! A run directory: what a run leaves behind, and what it needs to go on.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::backend::Backend;
use super::run::precision_named;
use crate::error::Error;
use crate::run::{Precision, checkpoint};
use crate::train::Line;

/// `run.ron`: what was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The version of this layout.
    pub(super) format: u32,
    /// The spec as it was named.
    pub(super) spec: String,
    /// The digest of the effective spec.
    pub(super) digest: String,
    /// The model.
    pub(super) model: String,
    /// The chosen train block, if one was named.
    pub(super) train: Option<String>,
    /// The task in place of the block's, if one was given.
    pub(super) task: Option<String>,
    /// The overrides.
    pub(super) sets: Vec<String>,
    /// The tasks in full.
    pub(super) tasks: Vec<String>,
    /// The seed.
    pub(super) seed: u64,
    /// Sequences a step.
    pub(super) batch: u32,
    /// Steps asked for in all.
    pub(super) steps: u64,
    /// How many fixed episodes are trained on, if they are.
    #[serde(default)]
    pub(super) overfit: Option<u32>,
    /// The backend.
    pub(super) backend: String,
    /// `f32` or `f64`.
    pub(super) precision: String,
    /// Our version.
    pub(super) version: String,
    /// The machine.
    pub(super) machine: String,
}

impl Manifest {
    /// What computed the run, and in which type.
    ///
    /// # Errors
    /// If this version knows neither.
    pub(super) fn computed_by(&self) -> Result<(Backend, Precision), Error> {
        let backend = Backend::named(&self.backend).ok_or_else(|| {
            Error::Usage(format!("this version has no backend `{}`", self.backend))
        })?;
        let precision = precision_named(&self.precision).ok_or_else(|| {
            Error::Usage(format!("this version has no precision `{}`", self.precision))
        })?;
        Ok((backend, precision))
    }
}

pub(super) const FORMAT: u32 = 1;

/// The folder of a run that holds the modules its spec uses.
pub(super) const MODULES: &str = "modules";

/// The directory of a run.
#[derive(Clone, Debug)]
pub(super) struct Directory(pub(super) PathBuf);

fn failed(path: &Path, error: &impl ToString) -> Error {
    Error::File { path: path.to_owned(), message: error.to_string() }
}

impl Directory {
    /// A new one: `out`, or the next free `runs/<model>-<task>-<n>`.
    pub(super) fn create(out: Option<&Path>, model: &str, task: &str) -> Result<Directory, Error> {
        let path = match out {
            Some(path) => {
                let holds = |name: &str| path.join(name).exists();
                if holds("run.ron") || holds("checkpoint.safetensors") {
                    let message =
                        "it already holds a run; go on with `--resume`, or choose another";
                    return Err(failed(path, &message));
                }
                fs::create_dir_all(path).map_err(|error| failed(path, &error))?;
                path.to_owned()
            }
            None => next_free(Path::new("runs"), model, task)?,
        };
        let figures = path.join("figures");
        fs::create_dir_all(&figures).map_err(|error| failed(&figures, &error))?;
        Ok(Directory(path))
    }

    /// A folder for other files, made if it is not there.
    pub(super) fn folder(path: PathBuf) -> Result<Directory, Error> {
        fs::create_dir_all(&path).map_err(|error| failed(&path, &error))?;
        Ok(Directory(path))
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file of the directory, all or nothing.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        Ok(checkpoint::replace(&self.file(name), bytes)?)
    }

    /// Keeps a module that the spec uses, so that the run needs nothing else to go on.
    pub(super) fn write_module(&self, name: &str, text: &str) -> Result<(), Error> {
        let file = super::input::module_file(MODULES, name);
        let path = self.file(&file);
        let folder = path.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        self.write(&file, text.as_bytes())
    }

    pub(super) fn write_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        let text = ron::ser::to_string_pretty(manifest, ron::ser::PrettyConfig::default())
            .map_err(|error| failed(&self.file("run.ron"), &error))?;
        self.write("run.ron", format!("{text}\n").as_bytes())
    }

    pub(super) fn manifest(&self) -> Result<Manifest, Error> {
        let path = self.file("run.ron");
        let text = fs::read_to_string(&path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                failed(&path, &"no such file: this is no run")
            } else {
                failed(&path, &error)
            }
        })?;
        let manifest: Manifest =
            ron::from_str(&text).map_err(|error| failed(&path, &format!("not a run: {error}")))?;
        if manifest.format != FORMAT {
            let message = format!("format {}, this version reads {FORMAT}", manifest.format);
            return Err(failed(&path, &message));
        }
        Ok(manifest)
    }

    /// Claims the directory for this process, for as long as the claim is held; the system lets go
    /// of it whatever way a process ends. Nothing is claimed where the file system knows no locks.
    pub(super) fn claim(&self) -> Result<Claim, Error> {
        let Ok(file) = File::open(&self.0) else { return Ok(Claim { _file: None }) };
        match file.try_lock() {
            Ok(()) => Ok(Claim { _file: Some(file) }),
            Err(fs::TryLockError::WouldBlock) => {
                let message = "another process is writing this run: wait for it, or end it";
                Err(failed(&self.0, &message))
            }
            Err(fs::TryLockError::Error(_)) => Ok(Claim { _file: None }),
        }
    }

    /// The lines of `metrics.jsonl` up to a step; later ones, and a torn last one, are cut off, as
    /// they will be written again.
    pub(super) fn cut_metrics(&self, step: u64) -> Result<Vec<Line>, Error> {
        self.cut("metrics.jsonl", |line: &Line| line.step <= step)
    }

    /// The same for `timing.jsonl`.
    pub(super) fn cut_timing(&self, step: u64) -> Result<(), Error> {
        self.cut("timing.jsonl", |line: &Timing| line.step <= step).map(|_| ())
    }

    /// Keeps the first lines of a file, for as long as they are whole and wanted.
    fn cut<T: DeserializeOwned>(
        &self,
        name: &str,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<Vec<T>, Error> {
        let path = self.file(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(&path, &error)),
        };
        let (mut kept, mut end) = (Vec::new(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let whole = line.ends_with(b"\n");
            match serde_json::from_slice(line) {
                Ok(found) if whole && wanted(&found) => kept.push(found),
                Ok(_) | Err(_) => break,
            }
            end += line.len();
        }
        if end < bytes.len() {
            self.write(name, &bytes[..end])?;
        }
        Ok(kept)
    }

    /// A file that grows by lines.
    pub(super) fn append(&self, name: &str) -> Result<Lines, Error> {
        let path = self.file(name);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Lines { file: file.map_err(|error| failed(&path, &error))?, path })
    }
}

/// A directory that no other process may claim.
#[derive(Debug)]
pub(super) struct Claim {
    _file: Option<File>,
}

/// One line of `timing.jsonl`: the only file of a run that tells of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Timing {
    /// Steps done.
    pub(super) step: u64,
    /// Seconds since this call began to train.
    pub(super) seconds: f64,
}

/// A file that grows by lines.
pub(super) struct Lines {
    file: File,
    path: PathBuf,
}

impl Lines {
    pub(super) fn push(&mut self, line: &impl Serialize) -> Result<(), crate::run::Error> {
        let failed = |message| crate::run::Error::File { path: self.path.clone(), message };
        let mut text = serde_json::to_string(line).map_err(|error| failed(error.to_string()))?;
        text.push('\n');
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| failed(error.to_string()))
    }

    /// Waits until everything is on the disk.
    pub(super) fn sync(&self) -> Result<(), crate::run::Error> {
        let failed = |message| crate::run::Error::File { path: self.path.clone(), message };
        self.file.sync_data().map_err(|error| failed(error.to_string()))
    }
}

/// Making the directory is what claims the number: two runs at once get two.
fn next_free(runs: &Path, model: &str, task: &str) -> Result<PathBuf, Error> {
    fs::create_dir_all(runs).map_err(|error| failed(runs, &error))?;
    for number in 1u32.. {
        let path = runs.join(format!("{model}-{task}-{number}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, &error)),
        }
    }
    Err(failed(runs, &"no number is free"))
}
