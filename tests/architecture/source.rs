//! The source files of the program, and what each of them imports.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, File, Item, ItemMod, ItemUse, UseTree,
    ext::IdentExt as _,
    visit::{self, Visit},
};

/// The names from the root of the crate to a module or to something in it.
pub type Names = Vec<String>;

/// All files of `src/`, without `main.rs`, which is a crate of its own.
pub struct Tree {
    files: BTreeMap<Names, SourceFile>,
}

struct SourceFile {
    /// Below `src/`.
    path: String,
    /// Lines that are neither blank nor a comment nor part of a test.
    lines_of_code: usize,
    /// By the name that the file gives to it.
    imports: BTreeMap<String, Names>,
    imports_all_of: Vec<Names>,
    paths: BTreeSet<Names>,
}

/// `from` uses something that is defined in `to`; both are paths below `src/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub to: String,
}

impl Tree {
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        find_files(&root, &mut found);
        let files = found.into_iter().filter(|file| *file != root.join("main.rs")).map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let module = module_of(&path);
            let read = SourceFile::read(&fs::read_to_string(&file).unwrap(), &module, path);
            (module, read)
        });
        Self { files: files.collect() }
    }

    pub fn lines_of_code(&self) -> impl Iterator<Item = (&str, usize)> {
        self.files.values().map(|file| (file.path.as_str(), file.lines_of_code))
    }

    /// Every use of one file by another.
    pub fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (module, file) in &self.files {
            for names in file.imports.values().chain(&file.imports_all_of).chain(&file.paths) {
                if let Some(to) = self.definition(names, module, 0).filter(|to| *to != module) {
                    arrows.insert(Arrow { from: file.path.clone(), to: self.files[to].path.clone() });
                }
            }
        }
        arrows
    }

    /// The same between what stands side by side in a folder: from `http/import/status.rs` to `http/openapi/page.rs` leads
    /// an arrow from `http/import` to `http/openapi`.
    ///
    /// The files of a folder may use the folder's own `mod.rs`: they are its parts and share what it defines.
    pub fn arrows_between_siblings(&self) -> BTreeSet<Arrow> {
        let siblings = |Arrow { from, to }: Arrow| {
            let (from, to): (Vec<_>, Vec<_>) = (from.split('/').collect(), to.split('/').collect());
            let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
            let arrow = Arrow { from: from[..=shared].join("/"), to: to[..=shared].join("/") };
            (to[shared] != "mod.rs").then_some(arrow)
        };
        self.arrows().into_iter().filter_map(siblings).collect()
    }

    /// The module whose file defines `names`, past the modules that only pass it on.
    fn definition(&self, names: &[String], user: &[String], depth: usize) -> Option<&Names> {
        let length = (0..=names.len()).rev().find(|length| self.files.contains_key(&names[..*length]))?;
        let (module, file) = self.files.get_key_value(&names[..length])?;
        let Some(name) = names.get(length) else { return Some(module) };
        if module.as_slice() != user
            && depth < 8
            && let Some(origin) = file.imports.get(name)
        {
            let passed_on: Names = origin.iter().chain(&names[length + 1..]).cloned().collect();
            return self.definition(&passed_on, user, depth + 1);
        }
        Some(module)
    }
}

impl SourceFile {
    fn read(text: &str, module: &[String], path: String) -> Self {
        let parsed = syn::parse_file(text).unwrap_or_else(|problem| panic!("{path}: {problem}"));
        let children: BTreeSet<String> = parsed.items.iter().filter_map(child_module).collect();
        let lines_of_code = lines_of_code(text, &parsed);
        let mut reader = Reader {
            module: module.to_vec(),
            children,
            imports: BTreeMap::new(),
            all_of: Vec::new(),
            paths: BTreeSet::new(),
        };
        reader.visit_file(&parsed);
        Self { path, lines_of_code, imports: reader.imports, imports_all_of: reader.all_of, paths: reader.paths }
    }
}

pub fn find_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `http/import/mod.rs` is `http::import`, and `lib.rs` is the root.
fn module_of(path: &str) -> Names {
    let path = path.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Names::new() } else { path.split('/').map(str::to_owned).collect() }
}

fn child_module(item: &Item) -> Option<String> {
    match item {
        Item::Mod(ItemMod { ident, content: None, .. }) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|cfg| cfg.is_ident("test"))
    })
}

fn lines_of_code(text: &str, parsed: &File) -> usize {
    let has_tests =
        |item: &&Item| matches!(item, Item::Mod(module) if module.content.is_some() && is_for_tests(&module.attrs));
    // Tests stand at the end of a file.
    let tests = if parsed.items.iter().any(|item| has_tests(&item)) { text.find("#[cfg(test)]\nmod ") } else { None };
    let text = &text[..tests.unwrap_or(text.len())];
    text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// Collects the paths of one file from the root of the crate on.
struct Reader {
    module: Names,
    children: BTreeSet<String>,
    imports: BTreeMap<String, Names>,
    all_of: Vec<Names>,
    paths: BTreeSet<Names>,
}

impl Reader {
    /// The path from the root of the crate; `None` for one that leads elsewhere.
    fn absolute(&self, names: &[String]) -> Option<Names> {
        let mut module = self.module.clone();
        let mut rest = names;
        match names.first()?.as_str() {
            "crate" => (module, rest) = (Names::new(), &names[1..]),
            "self" => rest = &names[1..],
            "super" => {
                while let Some(("super", after)) = rest.split_first().map(|(name, after)| (name.as_str(), after)) {
                    module.pop()?;
                    rest = after;
                }
            }
            child if self.children.contains(child) => {}
            imported => {
                let origin = self.imports.get(imported)?;
                return Some(origin.iter().chain(&names[1..]).cloned().collect());
            }
        }
        module.extend_from_slice(rest);
        Some(module)
    }

    fn import(&mut self, tree: &UseTree, before: &[String]) {
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &[before, &[path.ident.unraw().to_string()]].concat()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, before)),
            UseTree::Name(name) if name.ident == "self" => {
                if let (Some(module), Some(name)) = (self.absolute(before), before.last()) {
                    self.imports.insert(name.clone(), module);
                }
            }
            UseTree::Name(name) => {
                let name = name.ident.unraw().to_string();
                self.import_as(&name, &name, before);
            }
            UseTree::Rename(rename) => {
                let (name, alias) = (rename.ident.unraw().to_string(), rename.rename.unraw().to_string());
                // `as _` brings in a trait and gives it no name.
                let alias = if alias == "_" { format!("_{name}") } else { alias };
                self.import_as(&name, &alias, before);
            }
            UseTree::Glob(_) => self.all_of.extend(self.absolute(before)),
        }
    }

    fn import_as(&mut self, name: &str, alias: &str, before: &[String]) {
        if let Some(names) = self.absolute(&[before, &[name.to_owned()]].concat()) {
            self.imports.insert(alias.to_owned(), names);
        }
    }

    fn visit_tokens(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) if colons == 2 && !path.is_empty() => {
                    path.push(name.unraw().to_string());
                    colons = 0;
                }
                other => {
                    self.note(&std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Ident(name) => path = vec![name.unraw().to_string()],
                        TokenTree::Group(group) => self.visit_tokens(group.stream()),
                        _ => {}
                    }
                }
            }
        }
        self.note(&path);
    }

    fn note(&mut self, names: &[String]) {
        if names.len() > 1 {
            self.paths.extend(self.absolute(names));
        }
    }
}

impl Visit<'_> for Reader {
    fn visit_item_mod(&mut self, module: &ItemMod) {
        if is_for_tests(&module.attrs) {
            return;
        }
        if module.content.is_none() {
            return;
        }
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_fn(&mut self, function: &syn::ItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.import(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        self.note(&path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect::<Names>());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        visit::visit_macro(self, call);
        self.visit_tokens(call.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &syn::MetaList) {
        visit::visit_meta_list(self, list);
        self.visit_tokens(list.tokens.clone());
    }
}
