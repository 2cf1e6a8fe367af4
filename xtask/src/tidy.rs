//! What no compiler checks: file heads, file sizes, holes, links.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::root;

/// The longest file without its tests, in lines.
const LINES_MAX: usize = 500;

/// The longest ARCHITECTURE.md, in lines.
const ARCHITECTURE_LINES_MAX: usize = 300;

/// What must not stand in code, written so that this file doesn't hold it.
const HOLES: [&str; 5] = [
    "todo!",
    concat!("unimple", "mented!"),
    concat!("#[ig", "nore"),
    concat!("FIX", "ME"),
    "XXX",
];

pub(crate) fn check() -> Result<()> {
    let root = root();
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .context("listing files with git")?;
    let files = String::from_utf8(output.stdout).context("file names are text")?;
    let mut complaints = Vec::new();
    for name in files.lines().filter(|name| root.join(name).is_file()) {
        let Ok(text) = fs::read_to_string(root.join(name)) else {
            continue;
        };
        complaints.extend(
            complaints_of(name, &text)
                .into_iter()
                .map(|complaint| format!("{name}: {complaint}")),
        );
        if name.ends_with(".md") {
            complaints.extend(dead_links(&root, name, &text));
        }
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        bail!("{}", complaints.join("\n"))
    }
}

fn complaints_of(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let home = concat!("/ho", "me/");
    if text
        .lines()
        .any(|line| line.contains(home) || line.contains(concat!("/ro", "ot/")))
    {
        complaints.push("holds a path of somebody's machine".to_owned());
    }
    if name == "ARCHITECTURE.md" && text.lines().count() > ARCHITECTURE_LINES_MAX {
        complaints.push(format!("is longer than {ARCHITECTURE_LINES_MAX} lines"));
    }
    if !name.ends_with(".rs") || name.contains("/generated/") {
        return complaints;
    }
    if !text.starts_with("//!") {
        complaints.push("has no `//!` on top that says what it is for".to_owned());
    }
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    if code.lines().count() > LINES_MAX {
        complaints.push(format!(
            "has more than {LINES_MAX} lines without its tests: cut it by meaning"
        ));
    }
    if name != "xtask/src/tidy.rs" {
        complaints.extend(
            HOLES
                .iter()
                .filter(|hole| text.contains(**hole))
                .map(|hole| format!("holds {hole}")),
        );
    }
    let untidy = text
        .lines()
        .position(|line| line.contains('\t') || line.ends_with(' '));
    complaints.extend(untidy.map(|at| format!("line {}: a tab or white space at the end", at + 1)));
    complaints
}

/// Answers relative links that lead nowhere.
fn dead_links(root: &Path, name: &str, text: &str) -> Vec<String> {
    let folder = root
        .join(name)
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default();
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|link| link.split('#').next().unwrap_or(link))
        .filter(|link| {
            !link.is_empty() && !link.contains("://") && !link.contains(char::is_whitespace)
        })
        .filter(|link| !folder.join(link).exists())
        .map(|link| format!("{name}: the link {link} leads nowhere"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_a_bare_head_and_a_long_file_are_found() {
        assert!(complaints_of("a.rs", "//! Fine.\nfn a() {}\n").is_empty());
        assert_eq!(complaints_of("a.rs", "fn a() { todo!() }\n").len(), 2);
        let long = format!("//! Long.\n{}", "fn a() {}\n".repeat(LINES_MAX));
        assert_eq!(complaints_of("a.rs", &long).len(), 1);
        let tested = format!(
            "//! Short.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "fn a() {}\n".repeat(LINES_MAX)
        );
        assert!(complaints_of("a.rs", &tested).is_empty());
        assert_eq!(complaints_of("a.rs", "//! Tab.\n\tfn a() {}\n").len(), 1);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let text = "[here](README.md) [web](https://example.com/x) [gone](nowhere.md#part)";
        let dead = dead_links(&root(), "CONTRIBUTING.md", text);
        assert!(
            dead.iter().any(|link| link.contains("nowhere.md")),
            "{dead:?}"
        );
        assert!(!dead.iter().any(|link| link.contains("example.com")));
    }
}
