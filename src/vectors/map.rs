//! The map: how the tensors of somebody else's file become the arrays of our program.
//!
//! A map is a RON file. It is read in two steps: first dims and switches from shapes and metadata,
//! then, for the program compiled with them, every array. All texts but names are arithmetic
//! ([`super::arith`]): `+ - * / %`, comparisons, `and or not`, `if a then b else c`, lists `[1, 2]`
//! and `a..b` (end left out), `for j in list: j + 1`, `list[at]`, `record.key`, `len count positions sum every get
//! exists shape`. Known names: `meta` (the metadata, JSON read), `config` (its entry of that name), what `names` and
//! loops define, and `case`. `{..}` in the name of an array or tensor is filled in.
//!
//! ```ron
//! (
//!     names: [("R", "count(config.heads, 'r')")],      // helpers, in order
//!     sizes: [("N", "config.N"), ("lstm", "config.mode == 'lstm'")],  // handed to the spec
//!     arrays: [
//!         Bind("x", File("x")),
//!         For("j", "0..R", [
//!             // Cuts an axis into blocks in the order listed; a size of 0 skips the block.
//!             Blocks(0, File("w/heads.{j}.weight"), [
//!                 (to: "param/read[{j}].content.k.weight", size: "config.W"),
//!                 (to: "param/read[{j}].shift.s.weight", size: "3", order: "[2, 0, 1]"),
//!             ]),
//!             Bind("trace/read[{j}].w", Take(2, "j", File("trace/read_weights"))),
//!         ]),
//!         If("config.N > 4", [Bind("init/M", Transpose(File("init/memory")))]),
//!     ],
//!     ignore: ["init/extra*"],
//! )
//! ```
//!
//! Arrays: `x`, `x/<input>`, `target`, `mask`, `cotangent/<path>`, `param/<path>`, `init/<path>` are
//! given; `y`, `y/<value>`, `trace/<path>`, `final/<path>`, `start/<path>`, `loss`, `grad/<given>` are
//! compared. A path may name a member (`read[0].w`) or the whole family (`read.w`, family axes
//! first), whichever way the program stores it. At the end an array is fitted to its own shape: axes
//! are split, merged and freed of ones, never swapped. A first state without the batch is repeated.
//!
//! Every tensor must be used or ignored; `Unused("w/extra.{p}")` says of one that it takes no part,
//! and has its gradient compared with zero. The gradient of a tensor that feeds given arrays is pulled
//! back through the transpose of every step and compared with the tensor that `gradients` names:
//! prefixes of names, `w/` to `grad/` unless said otherwise. A map that says `like: "other.map.ron"` and
//! nothing else is that map. With `cases: "case{case}/"` the map holds
//! for each group of tensors of that prefix by itself. `left_out` lists gradients that do not count.

use serde::Deserialize;

use super::error::Error;
use super::file::File;
use super::resolve::is_given;
use super::value::Value;

/// A map, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Map {
    /// Another map that is meant in place of this one, by its name beside it.
    pub like: Option<String>,
    /// The prefix of a case, with `{case}` for its number.
    pub cases: Option<String>,
    /// Names for the arithmetic below, in order.
    pub names: Vec<(String, String)>,
    /// Dims and compile-time parameters of the spec.
    pub sizes: Vec<(String, String)>,
    /// Number of time steps, where `x` does not begin with it.
    pub steps: Option<String>,
    /// Number of samples, where the second axis of `x` is not it.
    pub batch: Option<String>,
    /// What each array is made of.
    pub arrays: Vec<Item>,
    /// Tensors that are left over on purpose; `*` stands for anything.
    pub ignore: Vec<String>,
    /// From prefixes of tensors to prefixes of their gradients.
    pub gradients: Option<Vec<(String, String)>>,
    /// A list of tensors, less their prefix, whose gradients are not compared.
    pub left_out: Option<String>,
}

/// One statement of a map.
#[derive(Clone, Debug, Deserialize)]
pub enum Item {
    /// An array and what it is made of.
    Bind(String, Expr),
    /// Several arrays out of one, cut along an axis.
    Blocks(usize, Expr, Vec<Block>),
    /// The statements for every item of a list.
    For(String, String, Vec<Item>),
    /// The statements, where a condition holds.
    If(String, Vec<Item>),
    /// The statements with one more name.
    Let(String, String, Vec<Item>),
    /// A tensor that takes no part: its gradient is zero.
    Unused(String),
}

/// A block of a joint array.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The array; empty to leave the block out.
    pub to: String,
    /// How many positions.
    pub size: String,
    /// The positions inside the block, in the order of the array; all if left out.
    #[serde(default)]
    pub order: Option<String>,
    /// A constant added to every entry.
    #[serde(default)]
    pub plus: Option<String>,
}

/// What an array is made of.
#[derive(Clone, Debug, Deserialize)]
pub enum Expr {
    /// A tensor of the file.
    File(String),
    /// A constant in a shape.
    Fill(Vec<String>, String),
    /// Positions along an axis.
    Take(usize, String, Box<Expr>),
    /// Axes in another order: axis k becomes what axis `[k]` was.
    Permute(Vec<usize>, Box<Expr>),
    /// Axes in reverse order; a vector stays.
    Transpose(Box<Expr>),
    /// Another shape, row by row.
    Shape(Vec<String>, Box<Expr>),
    /// Behind each other along an axis.
    Join(usize, Vec<Expr>),
    /// Along a new axis.
    Stack(usize, Vec<Expr>),
    /// In turn along an axis.
    Interleave(usize, Vec<Expr>),
    /// As `Join`, for every item of a list.
    JoinFor(String, String, usize, Box<Expr>),
    /// As `Stack`, for every item of a list.
    StackFor(String, String, usize, Box<Expr>),
    /// Copies along a new axis.
    Repeat(usize, String, Box<Expr>),
    /// Entry by entry.
    Sum(Vec<Expr>),
    /// A constant added to every entry.
    Plus(String, Box<Expr>),
    /// A constant times every entry.
    Times(String, Box<Expr>),
    /// One or the other.
    If(String, Box<Expr>, Box<Expr>),
}

impl Map {
    /// Reads a map.
    pub fn parse(name: &str, text: &str) -> Result<Map, Error> {
        let options = ron::Options::default()
            .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        let map: Map = options.from_str(text).map_err(|why| Error::data("", why).of_file(name))?;
        let more = map.names.len() + map.sizes.len() + map.arrays.len() + map.ignore.len();
        if map.like.is_some() && more > 0 {
            let why = "a map that is `like` another says nothing else";
            return Err(Error::data("", why).of_file(name));
        }
        Ok(map)
    }

    /// The map of a file in our own names: every given array is the tensor of that name. Its
    /// metadata may hold `sizes`, a record.
    #[must_use]
    pub fn plain(file: &File) -> Map {
        let (given, rest): (Vec<&String>, _) = file.slots.keys().partition(|name| is_given(name));
        let sizes = match file.meta() {
            Value::Record(fields) => match fields.get("sizes") {
                Some(Value::Record(sizes)) => sizes.keys().cloned().collect(),
                Some(_) | None => Vec::new(),
            },
            Value::Int(_) | Value::Real(_) | Value::Truth(_) | Value::Text(_) | Value::List(_) => {
                Vec::new()
            }
        };
        let size = |name: String| (name.clone(), format!("meta.sizes['{name}']"));
        Map {
            sizes: sizes.into_iter().map(size).collect(),
            arrays: given
                .into_iter()
                .map(|name| Item::Bind(name.clone(), Expr::File(name.clone())))
                .collect(),
            ignore: rest.into_iter().cloned().collect(),
            ..Map::default()
        }
    }
}
