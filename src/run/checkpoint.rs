//! Checkpoints: safetensors files that hold a whole training run.
//!
//! Keys: `param/<path>` and `slot/<path>`, in the precision of the run, and one metadata entry
//! `ntmc` in JSON: step, seed, digest of the spec and the progress of the training loop. There is no
//! generator state to keep: streams are keyed by seed and step. The entry begins with a checksum of the
//! file. A file is written under another name in the same directory, synced and renamed, so that an
//! interruption leaves the old one whole.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::{Array, Border, Error, Held, Precision, Session, seal};
use crate::tensor::Tensor;

/// What a checkpoint says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The version of this layout.
    pub format: u32,
    /// Optimiser steps done.
    pub step: u64,
    /// The seed of the run.
    pub seed: u64,
    /// The digest of the effective spec.
    pub digest: String,
    /// The progress of the training loop, in its own words.
    pub progress: serde_json::Value,
}

/// The layout that this version writes: 2 has a checksum.
pub const FORMAT: u32 = 2;

/// Writes a session and its facts.
///
/// # Errors
/// If the file system refuses.
pub fn save(path: &Path, session: &Session, facts: &Facts) -> Result<(), Error> {
    let border = session.border();
    let held = session.held();
    let params = named("param", &border.params).zip(&held.params);
    let slots = named("slot", &border.slots).zip(&held.slots);
    let encoded: Vec<(String, Vec<usize>, Vec<u8>)> = params
        .chain(slots)
        .map(|(name, tensor)| (name, tensor.shape().to_vec(), encode(tensor, session.precision())))
        .collect();
    let dtype = dtype(session.precision());
    let failed = |message: String| Error::File { path: path.to_owned(), message };
    let views: Result<Vec<_>, _> = encoded
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(dtype, shape.clone(), bytes).map(|view| (name.as_str(), view))
        })
        .collect();
    let views = views.map_err(|error| failed(error.to_string()))?;
    // One entry only: the library writes metadata in hash order.
    let text = serde_json::to_string(facts).map_err(|error| failed(error.to_string()))?;
    let metadata = HashMap::from([("ntmc".to_owned(), seal::open(&text))]);
    let mut bytes =
        safetensors::serialize(views, Some(metadata)).map_err(|error| failed(error.to_string()))?;
    seal::seal(&mut bytes);
    replace(path, &bytes)
}

/// What [`load`] finds.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The facts.
    pub facts: Facts,
    /// One tensor a parameter and a slot of the border.
    pub held: Held,
}

/// Reads a checkpoint and checks that it fits a border.
///
/// # Errors
/// If the file cannot be read, is cut short or damaged, or belongs to another model.
pub fn load(path: &Path, border: &Border) -> Result<Loaded, Error> {
    let bytes = fs::read(path)
        .map_err(|error| Error::File { path: path.to_owned(), message: error.to_string() })?;
    let corrupt = |message: String| Error::Corrupt { path: path.to_owned(), message };
    let (file, facts) = open(&bytes).map_err(&corrupt)?;
    let wanted: Vec<(String, &Array)> = named("param", &border.params)
        .zip(&border.params)
        .chain(named("slot", &border.slots).zip(&border.slots))
        .collect();
    let stranger =
        file.names().into_iter().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    if let Some(name) = stranger.iter().find(|name| wanted.iter().all(|(known, _)| known != *name))
    {
        return Err(corrupt(format!("it holds `{name}`, which this model does not have")));
    }
    let read = |name: &str, array: &Array| decode(&file, name, array).map_err(&corrupt);
    let params = named("param", &border.params).zip(&border.params);
    let slots = named("slot", &border.slots).zip(&border.slots);
    let held = Held {
        params: params.map(|(name, array)| read(&name, array)).collect::<Result<_, _>>()?,
        slots: slots.map(|(name, array)| read(&name, array)).collect::<Result<_, _>>()?,
    };
    Ok(Loaded { facts, held })
}

/// What the bytes of a checkpoint hold, if they are those that were written.
fn open(bytes: &[u8]) -> Result<(SafeTensors<'_>, Facts), String> {
    let damaged = |error: safetensors::SafeTensorError| {
        format!("it is damaged or cut short: {} bytes are left ({error})", bytes.len())
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let text = metadata.metadata().as_ref().and_then(|map| map.get("ntmc"));
    let text = text.ok_or("it was not written by ntmc")?;
    let facts: Facts = serde_json::from_str(text)
        .map_err(|error| format!("its description cannot be read ({error})"))?;
    if facts.format != FORMAT {
        return Err(format!("it has format {}, this version reads format {FORMAT}", facts.format));
    }
    seal::check(bytes)?;
    Ok((file, facts))
}

/// Whether these bytes are a damaged checkpoint: of a run, but not those that were written.
///
/// # Errors
/// What is wrong.
pub fn intact(bytes: &[u8]) -> Result<(), String> {
    let metadata = SafeTensors::read_metadata(bytes).ok();
    let ours = metadata.is_some_and(|(_, metadata)| {
        metadata.metadata().as_ref().is_some_and(|map| map.contains_key("ntmc"))
    });
    if ours { open(bytes).map(|_| ()) } else { Ok(()) }
}

/// The facts of a whole checkpoint, whatever its model; nothing where there is none or it is damaged.
#[must_use]
pub fn facts(path: &Path) -> Option<Facts> {
    let bytes = fs::read(path).ok()?;
    open(&bytes).ok().map(|(_, facts)| facts)
}

/// Takes away what a write that never ended has left in a directory.
pub fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let inner = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(".tmp"));
        let process = inner.and_then(|inner| inner.rsplit_once('.')).map(|(_, process)| process);
        if process.is_some_and(|process| process.parse::<u32>().is_ok()) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn named(kind: &str, arrays: &[Array]) -> impl Iterator<Item = String> {
    arrays.iter().map(move |array| format!("{kind}/{}", array.path))
}

fn dtype(precision: Precision) -> Dtype {
    match precision {
        Precision::F32 => Dtype::F32,
        Precision::F64 => Dtype::F64,
    }
}

fn encode(tensor: &Tensor, precision: Precision) -> Vec<u8> {
    match precision {
        Precision::F32 => tensor.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect(),
        Precision::F64 => tensor.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

fn decode(file: &SafeTensors<'_>, name: &str, array: &Array) -> Result<Tensor, String> {
    let view = file.tensor(name).map_err(|_| format!("it does not hold `{name}`"))?;
    if view.shape() != array.shape() {
        return Err(format!(
            "`{name}` has shape {:?} in the file, {:?} here",
            view.shape(),
            array.shape()
        ));
    }
    let values: Vec<f64> = if view.dtype() == Dtype::F32 {
        let chunks = view.data().as_chunks::<4>().0.iter();
        chunks.map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
    } else if view.dtype() == Dtype::F64 {
        view.data().as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    } else {
        return Err(format!("`{name}` holds {:?}, not F32 or F64", view.dtype()));
    };
    Ok(Tensor::from_shape_vec(array.shape(), values).expect("safetensors checked the length"))
}

/// Puts bytes in the place of a file, all or nothing.
///
/// # Errors
/// If the file system refuses.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = directory.join(format!(".{name}.{}.tmp", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, path)?;
        // Without this the rename itself may be lost with the power.
        #[cfg(unix)]
        File::open(&directory)?.sync_all()?;
        Ok(())
    };
    write().map_err(|error| {
        // The file is ours alone and already useless; the first error is the one to report.
        let _ = fs::remove_file(&temporary);
        Error::File { path: path.to_owned(), message: error.to_string() }
    })
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
