//! What can be wrong with a file of tensors, a map, or the two together.

use std::fmt;

/// Whose fault it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file is missing, cut or not what its ending says.
    File,
    /// Names, shapes or types do not fit each other.
    Data,
    /// More memory would be needed than we are willing to take.
    Limit,
}

/// A mistake, with the file and the tensor or pattern it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Its kind.
    pub kind: Kind,
    /// The file; empty if none is to blame.
    pub file: String,
    /// The tensor, or the name pattern of a map; empty if none is to blame.
    pub at: String,
    /// What is wrong: lower case, no full stop.
    pub why: String,
}

impl Error {
    /// A file that cannot be read, or is cut or corrupt.
    pub fn file(file: impl Into<String>, why: impl fmt::Display) -> Error {
        Error { kind: Kind::File, file: file.into(), at: String::new(), why: why.to_string() }
    }

    /// Names or shapes that do not fit.
    pub fn data(at: impl Into<String>, why: impl fmt::Display) -> Error {
        Error { kind: Kind::Data, file: String::new(), at: at.into(), why: why.to_string() }
    }

    /// Something too large.
    pub fn limit(at: impl Into<String>, why: impl fmt::Display) -> Error {
        Error { kind: Kind::Limit, file: String::new(), at: at.into(), why: why.to_string() }
    }

    /// Names the file, unless one is named already.
    #[must_use]
    pub fn of_file(mut self, file: &str) -> Error {
        if self.file.is_empty() {
            self.file = file.to_owned();
        }
        self
    }

    /// Names the tensor or pattern, unless one is named already.
    #[must_use]
    pub fn at(mut self, at: &str) -> Error {
        if self.at.is_empty() {
            self.at = at.to_owned();
        }
        self
    }

    /// The sentence without the file.
    #[must_use]
    pub fn what(&self) -> String {
        if self.at.is_empty() { self.why.clone() } else { format!("`{}`: {}", self.at, self.why) }
    }

    /// The exit code of the command line.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Data => 1,
            Kind::Limit => 3,
            Kind::File => 4,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(out, "{}: ", self.file)?;
        }
        out.write_str(&self.what())
    }
}

impl std::error::Error for Error {}
