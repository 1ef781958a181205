//! Files of named tensors (safetensors), read into `f64` and written from it.
//!
//! In: the bytes of a file. Out: [`File`]. Invariant: whatever the bytes are, the answer is a file or
//! an [`Error`], and no memory is taken that the length of the bytes does not pay for.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::{Dtype, SafeTensors};

use super::error::{Error, Kind};
use super::value::Value;
use crate::tensor::Tensor;

/// Where a tensor of a file lies among the numbers of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Position of its first number.
    pub base: usize,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// The tensors of a file, all numbers joined in the order of the names.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// What to call it in messages.
    pub name: String,
    /// Where each tensor lies.
    pub slots: BTreeMap<String, Slot>,
    /// All numbers.
    pub numbers: Vec<f64>,
    /// Tensors of whole numbers: they are stored as such.
    pub whole: BTreeSet<String>,
    /// Free text; entries that are JSON are read as such by [`File::meta`].
    pub metadata: BTreeMap<String, String>,
}

impl File {
    /// Reads the bytes of a file.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<File, Error> {
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|why| Error::file(name, why))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|why| Error::file(name, why))?;
        let mut file = File { name: name.to_owned(), ..File::default() };
        if let Some(texts) = header.metadata() {
            file.metadata = texts.iter().map(|(key, text)| (key.clone(), text.clone())).collect();
        }
        let views: BTreeMap<String, _> = tensors.tensors().into_iter().collect();
        for (tensor, view) in views {
            let base = file.numbers.len();
            let wrong = |why: String| Error::data(tensor.as_str(), why).of_file(name);
            numbers(view.dtype(), view.data(), &mut file.numbers).map_err(wrong)?;
            let shape = view.shape().to_vec();
            let count = shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
            if count != Some(file.numbers.len() - base) || ndarray_refuses(&shape) {
                let why = format!("the shape {shape:?} does not go with the bytes stored");
                return Err(Error { kind: Kind::File, ..wrong(why) });
            }
            if [Dtype::I64, Dtype::I32].contains(&view.dtype()) {
                file.whole.insert(tensor.clone());
            }
            file.slots.insert(tensor, Slot { base, shape });
        }
        Ok(file)
    }

    /// A file of these tensors.
    #[must_use]
    pub fn of(name: &str, tensors: &BTreeMap<String, Tensor>) -> File {
        let mut file = File { name: name.to_owned(), ..File::default() };
        for (key, tensor) in tensors {
            let slot = Slot { base: file.numbers.len(), shape: tensor.shape().to_vec() };
            file.numbers.extend(tensor.iter());
            file.slots.insert(key.clone(), slot);
        }
        file
    }

    /// The tensors of several files together, for example weights and inputs. A tensor that two of
    /// them hold is an error; of metadata the first counts.
    pub fn join(files: Vec<File>) -> Result<File, Error> {
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        let mut joined = File { name: names.join(", "), ..File::default() };
        for file in files {
            let base = joined.numbers.len();
            joined.numbers.extend(file.numbers);
            joined.whole.extend(file.whole);
            for (tensor, slot) in file.slots {
                if joined.slots.contains_key(&tensor) {
                    let why = "another file given has a tensor of this name";
                    return Err(Error::data(tensor, why).of_file(&file.name));
                }
                joined.slots.insert(tensor, Slot { base: base + slot.base, ..slot });
            }
            for (key, text) in file.metadata {
                joined.metadata.entry(key).or_insert(text);
            }
        }
        Ok(joined)
    }

    /// One tensor.
    pub fn tensor(&self, name: &str) -> Result<Tensor, Error> {
        let slot = self.slot(name)?;
        let count = slot.shape.iter().product::<usize>();
        let numbers = self.numbers[slot.base..slot.base + count].to_vec();
        Tensor::from_shape_vec(slot.shape.clone(), numbers)
            .map_err(|why| Error::data(name, why).of_file(&self.name))
    }

    /// Where a tensor lies.
    pub fn slot(&self, name: &str) -> Result<&Slot, Error> {
        self.slots.get(name).ok_or_else(|| {
            let near = crate::diag::nearest(name, self.slots.keys().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Error::data(name, format!("no such tensor in the file{hint}")).of_file(&self.name)
        })
    }

    /// The metadata as a record; texts that are JSON become what they say.
    #[must_use]
    pub fn meta(&self) -> Value {
        let read = |text: &String| match serde_json::from_str::<serde_json::Value>(text) {
            Ok(json) => Value::from_json(&json),
            Err(_) => Value::Text(text.clone()),
        };
        Value::Record(self.metadata.iter().map(|(key, text)| (key.clone(), read(text))).collect())
    }

    /// The bytes of a file that holds these tensors, in `f64` or as whole numbers of 64 bits; equal files
    /// give equal bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut header = serde_json::Map::new();
        if !self.metadata.is_empty() {
            header.insert("__metadata__".to_owned(), serde_json::json!(self.metadata));
        }
        let mut at = 0;
        for (name, slot) in &self.slots {
            let end = at + 8 * slot.shape.iter().product::<usize>();
            let dtype = if self.whole.contains(name) { "I64" } else { "F64" };
            let entry = serde_json::json!({
                "dtype": dtype, "shape": slot.shape, "data_offsets": [at, end],
            });
            header.insert(name.clone(), entry);
            at = end;
        }
        let mut text = serde_json::Value::Object(header).to_string();
        // Numbers start at a multiple of 8 bytes, as the format asks.
        while !text.len().is_multiple_of(8) {
            text.push(' ');
        }
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        for (name, slot) in &self.slots {
            let count = slot.shape.iter().product::<usize>();
            let whole = self.whole.contains(name);
            for number in &self.numbers[slot.base..slot.base + count] {
                bytes.extend(if whole {
                    (*number as i64).to_le_bytes()
                } else {
                    number.to_le_bytes()
                });
            }
        }
        bytes
    }
}

/// Shapes with an axis of size 0 may still be too large for an array library to index.
fn ndarray_refuses(shape: &[usize]) -> bool {
    let sizes = shape.iter().filter(|size| **size != 0);
    let span = sizes.copied().try_fold(1usize, |all, size| all.checked_mul(size));
    span.is_none_or(|span| span > isize::MAX as usize)
}

/// Appends the numbers stored in `data`.
fn numbers(dtype: Dtype, data: &[u8], into: &mut Vec<f64>) -> Result<(), String> {
    // The list of types is open, so an `if` chain rather than a match with a wildcard.
    if dtype == Dtype::F64 {
        into.extend(words::<8>(data).map(f64::from_le_bytes));
    } else if dtype == Dtype::F32 {
        into.extend(words::<4>(data).map(|four| f64::from(f32::from_le_bytes(four))));
    } else if dtype == Dtype::I64 {
        into.extend(words::<8>(data).map(|eight| i64::from_le_bytes(eight) as f64));
    } else if dtype == Dtype::I32 {
        into.extend(words::<4>(data).map(|four| f64::from(i32::from_le_bytes(four))));
    } else if dtype == Dtype::BOOL {
        into.extend(data.iter().map(|byte| f64::from(u8::from(*byte != 0))));
    } else {
        return Err(format!("its type is {dtype}; only F64, F32, I64, I32 and BOOL are read"));
    }
    Ok(())
}

/// The bytes in groups of N.
fn words<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> {
    data.chunks_exact(N).map(|chunk| {
        let mut word = [0; N];
        word.copy_from_slice(chunk);
        word
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};

    fn sample() -> File {
        let a = ArrayD::from_shape_fn(IxDyn(&[2, 3]), |at| (at[0] * 3 + at[1]) as f64);
        let b = ArrayD::from_elem(IxDyn(&[]), -1.5);
        let mut file =
            File::of("sample", &BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]));
        file.metadata.insert("config".to_owned(), "{\"N\": 9, \"heads\": \"rw\"}".to_owned());
        file
    }

    #[test]
    fn what_is_written_is_read_back() {
        let file = sample();
        let back = File::parse("back", &file.bytes()).unwrap();
        assert_eq!(back.slots, file.slots);
        assert_eq!(back.numbers, file.numbers);
        assert_eq!(back.metadata, file.metadata);
        assert_eq!(back.bytes(), file.bytes());
    }

    #[test]
    fn whole_numbers_are_stored_as_such() {
        let mut file = sample();
        file.whole.insert("a".to_owned());
        let bytes = file.bytes();
        let types = |bytes: &[u8]| {
            let tensors = SafeTensors::deserialize(bytes).unwrap();
            ["a", "b"].map(|name| tensors.tensor(name).unwrap().dtype())
        };
        assert_eq!(types(&bytes), [Dtype::I64, Dtype::F64]);
        let back = File::parse("back", &bytes).unwrap();
        assert_eq!(back.numbers, file.numbers);
        assert_eq!((back.bytes(), back.whole), (bytes, file.whole));
    }

    #[test]
    fn files_join_unless_they_share_a_name() {
        let c = ArrayD::from_elem(IxDyn(&[2]), 7.0);
        let mut more = File::of("more", &BTreeMap::from([("c".to_owned(), c)]));
        more.metadata.insert("config".to_owned(), "other".to_owned());
        more.metadata.insert("note".to_owned(), "kept".to_owned());
        let joined = File::join(vec![sample(), more.clone()]).unwrap();
        assert_eq!(joined.name, "sample, more");
        assert_eq!(joined.tensor("a").unwrap(), sample().tensor("a").unwrap());
        assert_eq!(joined.tensor("c").unwrap(), more.tensor("c").unwrap());
        assert_eq!(joined.metadata["config"], sample().metadata["config"]);
        assert_eq!(joined.metadata["note"], "kept");
        let error = File::join(vec![more.clone(), sample(), more]).unwrap_err();
        assert!(error.to_string().starts_with("more: `c`: another file"), "{error}");
    }

    #[test]
    fn every_cut_of_a_file_is_an_error_of_the_file() {
        let bytes = sample().bytes();
        for end in 0..bytes.len() {
            let error = File::parse("cut", &bytes[..end]).unwrap_err();
            assert_eq!(error.exit_code(), 4, "{error}");
            assert!(error.to_string().starts_with("cut: "), "{error}");
        }
    }

    #[test]
    fn no_changed_byte_of_a_header_panics() {
        let bytes = sample().bytes();
        for at in 0..bytes.len().min(200) {
            for byte in [0, b'9', b'{', 0xff] {
                let mut changed = bytes.clone();
                changed[at] = byte;
                let _ = File::parse("changed", &changed).map(|file| file.meta());
            }
        }
    }

    #[test]
    fn a_lying_header_takes_no_memory() {
        for header in [
            r#"{"a":{"dtype":"F64","shape":[4611686018427387904,8],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F64","shape":[0,9223372036854775807,9],"data_offsets":[0,0]}}"#,
            r#"{"a":{"dtype":"F64","shape":[1000000000],"data_offsets":[0,8000000000]}}"#,
        ] {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            bytes.extend([0; 8]);
            assert_eq!(File::parse("lie", &bytes).unwrap_err().exit_code(), 4, "{header}");
        }
    }

    #[test]
    fn an_unread_type_names_the_tensor() {
        let header = r#"{"half":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 4]);
        let error = File::parse("f", &bytes).unwrap_err();
        assert_eq!((error.at.as_str(), error.exit_code()), ("half", 1));
    }

    #[test]
    fn a_misspelt_name_is_hinted_at() {
        let error = sample().tensor("B").unwrap_err();
        assert!(error.to_string().contains("did you mean `b`"), "{error}");
    }
}
