//! TREE to CHECKED: every definition once, generically, before any dim is a number.
//!
//! In: the tree of a spec and a [`Library`] for what it imports. Out: [`Checked`]. Invariant: a
//! definition that is checked can only fail to be elaborated where dims of a call do not fit, a
//! `require` fails, or values need each other; no later message points into std because of a user.

mod arguments;
mod builtins;
mod calls;
mod circles;
mod declare;
mod elsewhere;
mod equations;
mod expr;
mod indices;
mod instances;
mod meant;
mod mistaken;
mod range;
mod refs;
mod repairs;
mod roots;
mod signature;
mod sizes;
mod slots;
mod stage;
mod start;
mod states;
mod trees;
mod whole;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::diag::{Diagnostics, Edit, nearest};
use crate::source::{FileId, Source, Sources, Span};
use crate::syntax::{self, ast};

use super::errors;
use super::library::{Library, STD};
use super::typed::{Checked, DefId};

/// A definition before it is checked: its module and its place there.
type Key = (usize, usize);

/// How far a definition has come.
#[derive(Clone, Copy)]
enum Status {
    Running,
    Done(Option<DefId>),
}

/// One file with what it can see.
struct Module {
    name: String,
    file: Arc<ast::File>,
    /// Visible definitions, with the import (or the definition itself) that brings each.
    scope: BTreeMap<String, Vec<(Key, Span)>>,
    /// Names that a wrong import was to bring; `None` where it was to bring all of a module.
    lost: Vec<Option<String>>,
}

/// Everything known while definitions are checked.
struct Global<'a> {
    sources: &'a mut Sources,
    library: &'a dyn Library,
    sink: &'a mut Diagnostics,
    modules: Vec<Module>,
    by_name: BTreeMap<String, Option<usize>>,
    status: BTreeMap<Key, Status>,
    checked: Checked,
    /// Where something is wrong for a reason that is told at another place.
    told: Vec<Span>,
    /// Definitions being checked, outermost first.
    running: Vec<String>,
}

/// Checks a parsed spec and everything it uses. Mistakes go to the sink; what could be checked in
/// spite of them is returned.
pub fn check(
    file: &ast::File,
    library: &dyn Library,
    sources: &mut Sources,
    sink: &mut Diagnostics,
) -> Checked {
    let mut global = Global {
        sources,
        library,
        sink,
        modules: Vec::new(),
        by_name: BTreeMap::new(),
        status: BTreeMap::new(),
        checked: Checked::default(),
        told: Vec::new(),
        running: Vec::new(),
    };
    for (name, text) in STD.iter() {
        global.load_std(name, text);
    }
    let spec = global.add("this file".to_owned(), Arc::new(file.clone()));
    for item in 0..file.items.len() {
        let id = global.definition((spec, item));
        if let ast::Item::Model(tree) = &file.items[item] {
            match id {
                Some(id) => global.checked.models.push(id),
                // Nothing is refused in silence.
                None if !global.sink.has_errors() => {
                    global.sink.push(errors::needs_itself(tree.name.span, &tree.name.text));
                }
                None => {}
            }
        }
        if let ast::Item::Train(train) = &file.items[item] {
            global.checked.trains.push(train.clone());
        }
    }
    for module in ["std.loss", "std.optim"] {
        global.offer(module);
    }
    global.checked
}

/// The tree of a module of std, read once in the life of a process. Places know their file, so there
/// is a tree for each number that the file is given; mostly that is one.
fn std_tree(sources: &Sources, id: FileId, sink: &mut Diagnostics) -> Option<Arc<ast::File>> {
    static TREES: Mutex<BTreeMap<(FileId, String), Arc<ast::File>>> = Mutex::new(BTreeMap::new());
    let key = (id, sources.get(id).name.clone());
    let known = TREES.lock().ok().and_then(|trees| trees.get(&key).cloned());
    if known.is_some() {
        return known;
    }
    let file = Arc::new(syntax::parse(sources, id, sink)?);
    if let Ok(mut trees) = TREES.lock() {
        trees.insert(key, Arc::clone(&file));
    }
    Some(file)
}

impl Global<'_> {
    fn load_std(&mut self, name: &str, text: &str) {
        let id = self.sources.add(Source::new(name, text));
        let parsed = std_tree(self.sources, id, self.sink);
        let module = parsed.map(|file| self.add_module(name.to_owned(), id, file));
        self.by_name.insert(name.to_owned(), module);
    }

    /// Adds the parsed file of a module.
    fn add_module(&mut self, name: String, id: FileId, file: Arc<ast::File>) -> usize {
        self.checked.modules.insert(id, Arc::clone(&file));
        self.add(name, file)
    }

    /// The module of that name, loaded on first use.
    fn module(&mut self, name: &str) -> Option<usize> {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        let source = self.library.source(name)?;
        // Entered before it is read, so that modules that import each other end.
        self.by_name.insert(name.to_owned(), None);
        let id: FileId = self.sources.add(source);
        self.checked.beside.push((name.to_owned(), id));
        let file = syntax::parse(self.sources, id, self.sink)?;
        let module = self.add_module(name.to_owned(), id, Arc::new(file));
        self.by_name.insert(name.to_owned(), Some(module));
        Some(module)
    }

    /// Adds a parsed file and works out what it can see.
    fn add(&mut self, name: String, file: Arc<ast::File>) -> usize {
        let at = self.modules.len();
        let module =
            Module { name, file: Arc::clone(&file), scope: BTreeMap::new(), lost: Vec::new() };
        self.modules.push(module);
        let mut scope: BTreeMap<String, Vec<(Key, Span)>> = BTreeMap::new();
        for import in &file.imports {
            let lost = self.import(import, &mut scope);
            self.modules[at].lost.extend(lost);
        }
        let mut own: BTreeMap<String, Span> = BTreeMap::new();
        for (item, name) in file.items.iter().enumerate().filter_map(named) {
            match own.get(&name.text) {
                Some(first) => {
                    let taken = |free: &str| {
                        file.items.iter().enumerate().filter_map(named).any(|(_, n)| n.text == free)
                    };
                    let free = (2..).map(|n| format!("{}_{n}", name.text)).find(|f| !taken(f));
                    let (free, first) = (free.unwrap_or_default(), *first);
                    let one = errors::duplicate_definition(name.span, &name.text, first, &free);
                    self.sink.push(one);
                }
                None => {
                    own.insert(name.text.clone(), name.span);
                    // A file's own definition wins over an import.
                    scope.insert(name.text.clone(), vec![((at, item), name.span)]);
                }
            }
        }
        self.modules[at].scope = scope;
        at
    }

    /// Brings the names of an import into scope; returns what it was to bring and could not.
    fn import(
        &mut self,
        import: &ast::Import,
        scope: &mut BTreeMap<String, Vec<(Key, Span)>>,
    ) -> Vec<Option<String>> {
        let Some(module) = self.module(&import.module.text) else {
            let one = self.unknown_module(&import.module);
            self.sink.push(one);
            return match &import.names {
                None => vec![None],
                Some(names) => names.iter().map(|name| Some(name.text.clone())).collect(),
            };
        };
        let mut lost = Vec::new();
        let file = Arc::clone(&self.modules[module].file);
        let all: BTreeMap<&str, usize> = file
            .items
            .iter()
            .enumerate()
            .filter_map(named)
            .map(|(at, n)| (n.text.as_str(), at))
            .collect();
        let mut bring = |name: &str, at: usize, span: Span| {
            let entry = scope.entry(name.to_owned()).or_default();
            if entry.iter().all(|(key, _)| *key != (module, at)) {
                entry.push(((module, at), span));
            }
        };
        match &import.names {
            None => all.iter().for_each(|(name, at)| bring(name, *at, import.module.span)),
            Some(names) => {
                for name in names {
                    match all.get(name.text.as_str()) {
                        Some(at) => bring(&name.text, *at, name.span),
                        None => {
                            let near = nearest(&name.text, all.keys().copied());
                            lost.push(Some(name.text.clone()));
                            lost.extend(near.map(|near| Some(near.to_owned())));
                            let module = &import.module.text;
                            let one = errors::not_in_module(name.span, module, &name.text, near);
                            self.sink.push(one);
                        }
                    }
                }
            }
        }
        lost
    }

    /// Checks the definitions of a module that the compiler itself calls.
    fn offer(&mut self, module: &str) {
        let Some(at) = self.by_name.get(module).copied().flatten() else { return };
        let file = Arc::clone(&self.modules[at].file);
        for (item, name) in file.items.iter().enumerate().filter_map(named) {
            if let Some(id) = self.definition((at, item)) {
                self.checked.library.insert((module.to_owned(), name.text.clone()), id);
            }
        }
    }

    /// Checks a definition on first use. `None`: it has errors, is no definition, or is running.
    fn definition(&mut self, key: Key) -> Option<DefId> {
        if let Some(Status::Done(id)) = self.status.get(&key) {
            return *id;
        }
        let file = Arc::clone(&self.modules[key.0].file);
        let (ast::Item::Def(def) | ast::Item::Model(def)) = &file.items[key.1] else { return None };
        let is_model = matches!(file.items[key.1], ast::Item::Model(_));
        self.status.insert(key, Status::Running);
        self.running.push(def.name.text.clone());
        let checked = declare::Cx::check(self, key.0, def, is_model);
        self.running.pop();
        let id = checked.map(|def| {
            self.checked.defs.push(Arc::new(def));
            DefId(self.checked.defs.len() as u32 - 1)
        });
        self.status.insert(key, Status::Done(id));
        id
    }

    /// The definition a module sees under a name; reports what is wrong with the name.
    fn lookup(&mut self, module: usize, name: &ast::Name) -> Option<DefId> {
        let found = self.modules[module].scope.get(&name.text).cloned().unwrap_or_default();
        match found[..] {
            [] => {
                self.unknown_definition(module, name);
                None
            }
            [(key, _)] => {
                if let Some(Status::Running) = self.status.get(&key) {
                    let first = self.running.iter().rposition(|one| *one == name.text);
                    let through = first.map_or(&[][..], |at| &self.running[at + 1..]);
                    self.sink.push(errors::recursion(name.span, &name.text, through));
                    return None;
                }
                let id = self.definition(key);
                if id.is_none() {
                    self.told.push(name.span);
                }
                id
            }
            [(first, here), (second, there), ..] => {
                let (a, b) = (&self.modules[first.0].name, &self.modules[second.0].name);
                let one =
                    errors::ambiguous_definition(name.span, &name.text, (a, here), (b, there));
                let edits = self.import_without(module, second.0, there, &name.text);
                self.sink.push(one.edits(edits));
                None
            }
        }
    }
}

/// How names that nothing brings into scope are looked for.
impl Global<'_> {
    /// A module that is not there; perhaps `nn` for `std.nn`.
    fn unknown_module(&self, name: &ast::Name) -> crate::diag::Diagnostic {
        let last = |known: &str| known.rsplit('.').next() == Some(&name.text);
        let known: Vec<&str> = STD.iter().map(|(name, _)| name.as_str()).collect();
        let near = known.iter().copied().find(|known| last(known));
        let near = near.or_else(|| nearest(&name.text, known));
        errors::unknown_module(name.span, &name.text, near)
    }

    /// A name that a module does not see as a definition.
    fn unknown_definition(&mut self, module: usize, name: &ast::Name) {
        let lost = &self.modules[module].lost;
        if lost.iter().any(|lost| lost.as_ref().is_none_or(|lost| *lost == name.text)) {
            self.told.push(name.span);
            return;
        }
        let homes = self.modules.iter().filter(|other| other.name.starts_with("std."));
        let all: Vec<(&str, &str)> = homes
            .flat_map(|home| {
                let names = home.file.items.iter().enumerate().filter_map(named);
                names.map(|(_, n)| (n.text.as_str(), home.name.as_str()))
            })
            .collect();
        let home = all.iter().find(|(known, _)| *known == name.text).map(|(_, home)| *home);
        let scope = &self.modules[module].scope;
        let mut seen: Vec<&str> = scope.keys().map(String::as_str).collect();
        for known in builtins::names() {
            seen.push(known);
        }
        seen.extend(all.iter().map(|(known, _)| *known));
        let near = builtins::elsewhere_called(&name.text).or_else(|| nearest(&name.text, seen));
        let of = |near: &str| {
            let here = scope.contains_key(near) || builtins::names().any(|known| known == near);
            all.iter().find(|(known, _)| *known == near && !here).map(|(_, home)| *home)
        };
        let near = near.map(|near| (near, of(near)));
        let one = errors::unknown_definition(name.span, &name.text, home, near);
        let import = match (home, near) {
            (Some(home), _) => Some((home.to_owned(), name.text.clone())),
            (None, Some((near, Some(home)))) => Some((home.to_owned(), near.to_owned())),
            (None, _) => None,
        };
        let edit = import.map(|(home, name)| self.import_of(module, &home, &name));
        self.sink.push(one.edits(edit));
    }

    /// The change that brings a name of another module into a module.
    fn import_of(&self, module: usize, home: &str, name: &str) -> Edit {
        let file = &self.modules[module].file;
        let known = file.imports.iter().find(|import| import.module.text == home);
        if let Some(last) = known.and_then(|import| import.names.as_ref()?.last()) {
            return Edit::new(last.span.after(), format!(", {name}"));
        }
        let after = file.imports.last().map_or(file.version_span, |import| import.span);
        repairs::line_after(self.sources, after, &format!("use {home}"))
    }

    /// The change that keeps one name of another module out of a module: its import then lists what
    /// else is used of it.
    fn import_without(&self, module: usize, other: usize, place: Span, name: &str) -> Vec<Edit> {
        let file = &self.modules[module].file;
        let at = |import: &&ast::Import| {
            import.span.start <= place.start && place.end <= import.span.end
        };
        let Some(import) = file.imports.iter().find(at) else { return Vec::new() };
        let text = &self.sources.get(place.file).text;
        let names: Vec<&str> = match &import.names {
            Some(names) => names.iter().map(|one| one.text.as_str()).collect(),
            None => {
                let all = self.modules[other].file.items.iter().enumerate().filter_map(named);
                all.map(|(_, one)| one.text.as_str())
                    .filter(|known| repairs::words(text).any(|word| word == *known))
                    .collect()
            }
        };
        let kept: Vec<&str> = names.into_iter().filter(|one| *one != name).collect();
        if kept.is_empty() {
            return vec![Edit::new(import.span, "")];
        }
        vec![Edit::new(import.span, format!("use {} ({})", import.module.text, kept.join(", ")))]
    }
}

/// The place and name of an item that is a definition.
fn named((at, item): (usize, &ast::Item)) -> Option<(usize, &ast::Name)> {
    match item {
        ast::Item::Def(def) | ast::Item::Model(def) => Some((at, &def.name)),
        ast::Item::Train(_) => None,
    }
}

pub(super) use slots::{constant_of, domain_named};
