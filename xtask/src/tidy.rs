//! What no compiler checks: file heads, file sizes, holes, white space, paths of somebody's machine, links.
//!
//! It reads the tree as it lies, without git, and writes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::root;

/// The longest file without its tests, in lines.
const LINES_MAX: usize = 500;

/// The longest ARCHITECTURE.md, in lines.
const ARCHITECTURE_LINES_MAX: usize = 300;

/// Folders that hold nothing of ours.
const SKIPPED_FOLDERS: [&str; 2] = [".git", "target"];

/// What must not stand in code, written so that this file doesn't hold it.
const HOLES: [&str; 4] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("#[ig", "nore"),
    concat!("FIX", "ME"),
];

/// Where people's folders are on their machines.
const HOMES: [&str; 3] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
];

pub(crate) fn check() -> Result<()> {
    let root = root();
    let mut names = Vec::new();
    list(&root, Path::new(""), &mut names)?;
    let mut complaints = Vec::new();
    for name in &names {
        let text = fs::read_to_string(root.join(name))
            .with_context(|| format!("reading {}", name.display()))?;
        let found = complaints_of(&root, name, &text);
        complaints.extend(
            found
                .into_iter()
                .map(|complaint| format!("{}: {complaint}", name.display())),
        );
    }
    if complaints.is_empty() {
        println!("{} files are tidy", names.len());
        Ok(())
    } else {
        bail!("{}", complaints.join("\n"))
    }
}

/// Lists text files below a folder, in order, by their path from the root.
fn list(root: &Path, folder: &Path, names: &mut Vec<PathBuf>) -> Result<()> {
    let here = root.join(folder);
    let mut entries = fs::read_dir(&here)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(|| format!("listing {}", here.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = folder.join(entry.file_name());
        let kind = entry
            .file_type()
            .with_context(|| format!("looking at {}", name.display()))?;
        let skipped = SKIPPED_FOLDERS
            .iter()
            .any(|skipped| name.ends_with(skipped));
        if kind.is_dir() && !skipped {
            list(root, &name, names)?;
        } else if kind.is_file() && is_text(&name) {
            names.push(name);
        }
    }
    Ok(())
}

fn is_text(name: &Path) -> bool {
    let texts = ["rs", "md", "toml", "proto", "yaml", "yml", "sh", "service"];
    extension(name).is_some_and(|extension| texts.contains(&extension)) || name.ends_with(".ci/run")
}

fn extension(name: &Path) -> Option<&str> {
    name.extension().and_then(std::ffi::OsStr::to_str)
}

fn complaints_of(root: &Path, name: &Path, text: &str) -> Vec<String> {
    let is_generated = name
        .components()
        .any(|part| part.as_os_str() == "generated");
    let mut complaints = line_complaints(text);
    match extension(name) {
        Some("rs") if !is_generated => complaints.extend(code_complaints(text)),
        Some("md") => complaints.extend(dead_links(root, name, text)),
        Some(_) | None => {}
    }
    if name == Path::new("ARCHITECTURE.md") && text.lines().count() > ARCHITECTURE_LINES_MAX {
        complaints.push(format!("is longer than {ARCHITECTURE_LINES_MAX} lines"));
    }
    complaints
}

fn line_complaints(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, at) in text.lines().zip(1..) {
        if line.contains('\t') {
            complaints.push(format!("line {at}: a tab"));
        }
        if line.ends_with(char::is_whitespace) {
            complaints.push(format!("line {at}: white space at the end"));
        }
        if HOMES.iter().any(|home| line.contains(home)) {
            complaints.push(format!("line {at}: a path of somebody's machine"));
        }
    }
    complaints
}

fn code_complaints(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push("has no `//!` on top that says what it is for".to_owned());
    }
    let lines = lines_without_tests(text);
    if lines > LINES_MAX {
        complaints.push(format!(
            "has {lines} lines without its tests, {LINES_MAX} at most: cut it by meaning"
        ));
    }
    let holes = HOLES.iter().filter(|hole| text.contains(**hole));
    complaints.extend(holes.map(|hole| format!("holds {hole}")));
    complaints
}

/// Counts up to the module of tests at the end of the file. A `mod tests;` that lies elsewhere ends nothing.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begins_tests = |at: &usize| {
        let module = lines
            .iter()
            .skip(at + 1)
            .find(|line| line.starts_with("mod "));
        lines.get(*at) == Some(&"#[cfg(test)]") && module.is_some_and(|line| line.ends_with('{'))
    };
    (0..lines.len()).find(begins_tests).unwrap_or(lines.len())
}

/// Answers relative links that lead nowhere.
fn dead_links(root: &Path, name: &Path, text: &str) -> Vec<String> {
    let folder = root
        .join(name)
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default();
    links(text)
        .filter(|link| !folder.join(link).exists())
        .map(|link| format!("the link {link} leads nowhere"))
        .collect()
}

/// Answers the files that links name, outside of blocks of code.
fn links(text: &str) -> impl Iterator<Item = &str> {
    // Invariant: every second part, counted from the first, is prose.
    text.split("```")
        .step_by(2)
        .flat_map(|prose| prose.split("](").skip(1))
        .filter_map(|rest| rest.split([')', ' ']).next())
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .filter_map(|link| link.split('#').next())
        .filter(|file| !file.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(name: &str, text: &str) -> Vec<String> {
        complaints_of(&root(), Path::new(name), text)
    }

    fn lines(count: usize) -> String {
        "fn a() {}\n".repeat(count)
    }

    #[test]
    fn a_hole_and_a_bare_head_are_found() {
        assert_eq!(complaints("a.rs", "//! Fine.\nfn a() {}\n"), [""; 0]);
        for hole in HOLES {
            assert_eq!(
                complaints("a.rs", &format!("//! Holds.\n{hole}\n")),
                [format!("holds {hole}")]
            );
        }
        assert_eq!(complaints("tests/a.rs", "fn a() {}\n").len(), 1);
        assert_eq!(complaints("src/generated/a.rs", "fn a() {}\n").len(), 0);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_are_not_counted() {
        let long = format!("//! Long.\n{}", lines(LINES_MAX));
        assert_eq!(complaints("a.rs", &long).len(), 1);
        let tested = format!(
            "//! Short.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            lines(LINES_MAX)
        );
        assert_eq!(complaints("a.rs", &tested).len(), 0);
        let elsewhere = format!("//! Long.\n#[cfg(test)]\nmod tests;\n{}", lines(LINES_MAX));
        assert_eq!(complaints("a.rs", &elsewhere).len(), 1);
        assert_eq!(
            complaints("ARCHITECTURE.md", &lines(ARCHITECTURE_LINES_MAX + 1)).len(),
            1
        );
    }

    #[test]
    fn untidy_lines_are_found_by_number() {
        assert_eq!(
            complaints("a.md", "a\n\tb\nc \n"),
            ["line 2: a tab", "line 3: white space at the end"]
        );
        let home = format!("path = \"{}somebody/seata\"\n", HOMES[0]);
        assert_eq!(
            complaints("a.toml", &home),
            ["line 1: a path of somebody's machine"]
        );
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let text = "[here](Cargo.toml) [web](https://example.com/x) [part](#part) [gone](nowhere.md#part)\n```\n[code](x.md)\n```\n[too](no.md)";
        let found = complaints("CONTRIBUTING.md", text);
        assert_eq!(
            found,
            [
                "the link nowhere.md leads nowhere",
                "the link no.md leads nowhere"
            ]
        );
        assert_eq!(complaints("docs/a.md", "[up](../Cargo.toml)").len(), 0);
    }
}
