//! What a component says of itself, read before anything of it is compiled.

use sha2::{Digest as _, Sha256};
use wasmparser::{CanonicalFunction, CanonicalOption, Encoding, Parser, Payload};

use super::limits::Limits;
use super::unfit::Unfit;

/// What a component is, from its bytes alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Of the bytes, in hexadecimal.
    pub sha256: String,
    pub size: usize,
    /// The interfaces it imports, with their versions: `tidegate:plugin/kv@0.1.0`.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// The hooks among its exports.
    pub hooks: Vec<Hook>,
}

/// What a plugin may be called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    Request,
    Response,
    Stream,
}

impl Hook {
    pub const ALL: [Self; 3] = [Self::Request, Self::Response, Self::Stream];

    /// A short word for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Stream => "stream",
        }
    }

    /// The interface that holds it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request-hook",
            Self::Response => "response-hook",
            Self::Stream => "stream-hook",
        }
    }
}

/// The package of the interface, and the version of it that this gateway speaks.
pub const PACKAGE: &str = "tidegate:plugin";
pub const VERSION: &str = "0.1";

impl Manifest {
    /// Reads a component and says whether it can be a plugin of this gateway.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, Unfit> {
        if bytes.len() > limits.file {
            let (size, most) = (bytes.len().div_ceil(1 << 20), limits.file >> 20);
            return Err(Unfit::new(format!("it is {size} MiB large, and the limit is {most} MiB"))
                .help("strip it, or lift `limits: { file: … }`"));
        }
        let (imports, exports) = outline(bytes)?;
        let manifest = Self {
            sha256: hex(&Sha256::digest(bytes)),
            size: bytes.len(),
            hooks: Hook::ALL.into_iter().filter(|hook| exports.iter().any(|name| is_ours(name, hook.name()))).collect(),
            imports,
            exports,
        };
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), Unfit> {
        if !self.exports.iter().any(|name| is_ours(name, "lifecycle")) {
            return Err(self.no_lifecycle());
        }
        if self.hooks.is_empty() {
            return Err(Unfit::new("it exports no hook").help("hooks are: request-hook, response-hook, stream-hook"));
        }
        let stranger = self.imports.iter().find(|name| {
            let is_of = |package: &str| name.strip_prefix(package).is_some_and(|rest| rest.starts_with('/'));
            !is_of(PACKAGE) && !name.starts_with("wasi:")
        });
        match stranger {
            Some(name) => Err(Unfit::new(format!("it imports `{name}`, which this gateway does not offer"))
                .help("a plugin can import what the package `tidegate:plugin` holds, and nothing else")),
            None => self.check_versions(),
        }
    }

    fn check_versions(&self) -> Result<(), Unfit> {
        let mut ours = self.imports.iter().chain(&self.exports).filter_map(|name| version_of(name));
        match ours.find(|version| !is_spoken(version)) {
            Some(version) => Err(other_version(version)),
            None => Ok(()),
        }
    }

    fn no_lifecycle(&self) -> Unfit {
        match self.exports.iter().chain(&self.imports).find_map(|name| version_of(name)) {
            Some(version) if !is_spoken(version) => other_version(version),
            _ => Unfit::new(format!("it is no plugin: it does not export `{PACKAGE}/lifecycle`"))
                .help("a plugin exports `lifecycle` and at least one hook"),
        }
    }
}

fn other_version(version: &str) -> Unfit {
    Unfit::new(format!("it is built for {PACKAGE}@{version}, this gateway speaks {VERSION}"))
        .help(format!("build it against version {VERSION} of the interface, or use a gateway that speaks {version}"))
}

/// The version of one of our interfaces: `0.1.0` of `tidegate:plugin/kv@0.1.0`.
fn version_of(name: &str) -> Option<&str> {
    name.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@').map(|(_, version)| version)
}

fn is_spoken(version: &str) -> bool {
    version.strip_prefix(VERSION).is_some_and(|rest| rest.starts_with('.'))
}

fn is_ours(name: &str, interface: &str) -> bool {
    let rest = name.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/'));
    rest.and_then(|rest| rest.split_once('@')).is_some_and(|(of, version)| of == interface && is_spoken(version))
}

/// The names of what a component imports and exports.
fn outline(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), Unfit> {
    let unread = |error: wasmparser::BinaryReaderError| Unfit::new(format!("it cannot be read: {}", error.message()));
    if !bytes.starts_with(b"\0asm") {
        return Err(Unfit::new("it is no WebAssembly"));
    }
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(unread)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(Unfit::new("it is a core module, not a component")
                    .help("build it for `wasm32-wasip2`, or with the tools of your language's template"));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(unread)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(unread)?.name.name.to_owned());
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    check_strings(&function.map_err(unread)?)?;
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

/// Strings are UTF-8 on both sides: other encodings are transcoded by code that is seldom walked.
fn check_strings(function: &CanonicalFunction) -> Result<(), Unfit> {
    let options = match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => options,
        _ => return Ok(()),
    };
    let is_other = |option: &CanonicalOption| matches!(option, CanonicalOption::UTF16 | CanonicalOption::CompactUTF16);
    if options.iter().any(is_other) {
        return Err(Unfit::new("its strings are not UTF-8").help("build it with `string-encoding=utf8`"));
    }
    Ok(())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(wat: &str) -> Result<Manifest, Unfit> {
        Manifest::read(&wat::parse_str(wat).unwrap(), &Limits::default())
    }

    fn reason(wat: &str) -> String {
        read(wat).unwrap_err().to_string()
    }

    #[test]
    fn a_core_module_is_told_from_a_component() {
        assert_eq!(reason("(module)"), "it is a core module, not a component");
        let script = Manifest::read(b"#!/bin/sh", &Limits::default()).unwrap_err();
        assert_eq!(script.to_string(), "it is no WebAssembly");
    }

    #[test]
    fn another_version_of_the_interface_is_named() {
        let wat = r#"(component (component $c) (instance $i (instantiate $c))
            (export "tidegate:plugin/lifecycle@0.3.0" (instance $i)))"#;
        assert_eq!(reason(wat), "it is built for tidegate:plugin@0.3.0, this gateway speaks 0.1");
    }

    #[test]
    fn a_component_of_something_else_is_no_plugin() {
        assert_eq!(reason("(component)"), "it is no plugin: it does not export `tidegate:plugin/lifecycle`");
    }

    #[test]
    fn hooks_are_found_among_the_exports() {
        let wat = r#"(component (component $c) (instance $i (instantiate $c))
            (export "tidegate:plugin/lifecycle@0.1.0" (instance $i))
            (export "tidegate:plugin/stream-hook@0.1.2" (instance $i)))"#;
        let manifest = read(wat).unwrap();
        assert_eq!(manifest.hooks, [Hook::Stream]);
        assert_eq!(manifest.sha256.len(), 64);
    }

    #[test]
    fn what_no_gateway_offers_cannot_be_imported() {
        let wat = r#"(component (import "acme:store/blobs@1.0.0" (instance))
            (component $c) (instance $i (instantiate $c))
            (export "tidegate:plugin/lifecycle@0.1.0" (instance $i))
            (export "tidegate:plugin/request-hook@0.1.0" (instance $i)))"#;
        assert_eq!(reason(wat), "it imports `acme:store/blobs@1.0.0`, which this gateway does not offer");
    }
}
