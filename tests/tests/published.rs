//! What a registry shows and hands out beside the code: each published crate has a readme, both licences and all features' docs.

use std::fs;
use std::path::Path;

/// The folders of the crates that are published.
const PUBLISHED: [&str; 3] = ["core", "std-adapter", "wasm"];

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn published_crates_carry_readme_licences_and_docs_of_all_features() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in PUBLISHED.map(|name| root.join(name)) {
        let manifest = text(&folder.join("Cargo.toml"));
        // Without the field cargo takes the crate's own.
        let readme = manifest.lines().find_map(|line| line.strip_prefix("readme = ")).unwrap_or("\"README.md\"");
        assert!(text(&folder.join(readme.trim_matches('"'))).starts_with("# "), "{}", folder.display());
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            assert_eq!(text(&folder.join(licence)), text(&root.join(licence)), "{} {licence}", folder.display());
        }
        let (_, docs) = manifest.split_once("[package.metadata.docs.rs]\n").expect("what docs.rs builds");
        assert!(docs.starts_with("all-features = true\n"), "{}: {docs}", folder.display());
    }
}
