//! A registry on a socket, as small as one can be.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;

/// By path; what is not here is a 404.
type Documents = Arc<Mutex<HashMap<String, (&'static str, Vec<u8>)>>>;

struct House {
    host: String,
    documents: Documents,
    asked: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
    cache: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (documents, asked, is_down) =
            (Documents::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (shelf, count, down) = (Arc::clone(&documents), Arc::clone(&asked), Arc::clone(&is_down));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if !down.load(Ordering::SeqCst) {
                    answer(stream.unwrap(), &shelf, &count);
                }
            }
        });
        Self { host, documents, asked, is_down, cache: tempfile::tempdir().unwrap() }
    }

    /// Puts a component there under a tag; gives the digest of its manifest.
    fn push(&self, tag: &str, wasm: &[u8], signature: Option<&Signature>) -> String {
        let mut documents = self.documents.lock().unwrap();
        let mut layer = |media_type: &str, bytes: &[u8]| {
            let digest = format!("sha256:{}", hash(bytes));
            documents.insert(format!("/v2/acme/tone/blobs/{digest}"), ("application/octet-stream", bytes.to_vec()));
            serde_json::json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
        };
        let mut layers = vec![layer("application/wasm", wasm)];
        layers.extend(signature.map(|signature| layer(pull::SIGNATURE, signature.to_string().as_bytes())));
        let config = layer("application/vnd.wasm.config.v0+json", b"{}");
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = format!("sha256:{}", hash(&manifest));
        for name in [tag, &digest] {
            documents.insert(format!("/v2/acme/tone/manifests/{name}"), (MANIFEST, manifest.clone()));
        }
        digest
    }

    fn source(&self, rest: &str) -> Source {
        Source::parse(&format!("oci://{}/acme/tone{rest}", self.host)).unwrap()
    }

    fn library(&self) -> Library {
        let access = Access { is_plain: true, ..Access::default() };
        Library {
            cache: Some(self.cache.path().to_owned()),
            access: [(self.host.clone(), access)].into(),
            ..Library::default()
        }
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

fn answer(stream: TcpStream, documents: &Documents, asked: &AtomicUsize) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
    asked.fetch_add(1, Ordering::SeqCst);
    let path = first.split(' ').nth(1).unwrap_or_default();
    let found = documents.lock().unwrap().get(path).cloned();
    let (status, kind, body) = match found {
        Some((kind, body)) => ("200 OK", kind, body),
        None if path == "/v2/" => ("200 OK", "application/json", b"{}".to_vec()),
        None => (
            "404 Not Found",
            "application/json",
            b"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"no\"}]}".to_vec(),
        ),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ndocker-content-digest: sha256:{}\r\nconnection: close\r\n\r\n",
        body.len(),
        hash(&body)
    );
    let mut stream = stream;
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const WASM: &[u8] = b"\0asm and more";

fn wanted(source: &Source) -> Wanted<'_> {
    Wanted { source, sha256: None, follows_tags: false, most: 1 << 20 }
}

#[test]
fn a_pinned_plugin_is_fetched_once_and_then_needs_no_registry() {
    let house = House::new();
    let digest = house.push("1", WASM, None);
    let (library, pin) = (house.library(), hash(WASM));
    let tag = house.source(":1");
    let pinned = Wanted { sha256: Some(&pin), ..wanted(&tag) };
    assert_eq!(library.fetch(pinned).as_deref(), Ok(WASM));
    assert!(house.asked() > 0);
    let fixed = house.source(&format!("@{digest}"));
    assert_eq!(library.fetch(wanted(&fixed)).as_deref(), Ok(WASM));
    house.asked();
    house.is_down.store(true, Ordering::SeqCst);
    assert_eq!(library.fetch(pinned).as_deref(), Ok(WASM));
    assert_eq!(library.fetch(wanted(&fixed)).as_deref(), Ok(WASM));
    assert_eq!(house.asked(), 0);
}

#[test]
fn a_tag_is_followed_only_where_the_policy_says_so() {
    let house = House::new();
    house.push("latest", WASM, None);
    let (library, tag) = (house.library(), house.source(":latest"));
    let why = library.fetch(wanted(&tag)).unwrap_err();
    assert!(why.contains("unpinned: allow") && house.asked() == 0, "{why}");
    let follows = Wanted { follows_tags: true, ..wanted(&tag) };
    assert_eq!(library.fetch(follows).as_deref(), Ok(WASM));
    house.push("latest", b"\0asm another", None);
    assert_eq!(library.fetch(follows).as_deref(), Ok(b"\0asm another".as_slice()));
    house.is_down.store(true, Ordering::SeqCst);
    assert_eq!(library.fetch(follows).as_deref(), Ok(b"\0asm another".as_slice()), "the one it had before");
}

#[test]
fn a_registry_that_is_down_or_has_no_such_plugin_is_an_error_with_its_reason() {
    let house = House::new();
    let tag = house.source(":1");
    let follows = Wanted { follows_tags: true, ..wanted(&tag) };
    let why = house.library().fetch(follows).unwrap_err();
    assert!(why.contains("cannot be had from its registry"), "{why}");
    house.is_down.store(true, Ordering::SeqCst);
    assert!(house.library().fetch(follows).is_err());
}

#[test]
fn another_component_than_the_pinned_one_is_never_taken() {
    let house = House::new();
    house.push("1", WASM, None);
    let (tag, pin) = (house.source(":1"), hash(b"another"));
    let why = house.library().fetch(Wanted { sha256: Some(&pin), ..wanted(&tag) }).unwrap_err();
    assert!(why.contains(&hash(WASM)), "{why}");
    let why = house.library().fetch(Wanted { sha256: Some("abc"), ..wanted(&tag) }).unwrap_err();
    assert!(why.contains("64 hexadecimal digits"), "{why}");
}

#[test]
fn what_was_tampered_with_in_the_cache_or_on_the_way_is_not_taken() {
    let house = House::new();
    house.push("1", WASM, None);
    let (library, tag, pin) = (house.library(), house.source(":1"), hash(WASM));
    let pinned = Wanted { sha256: Some(&pin), ..wanted(&tag) };
    library.fetch(pinned).unwrap();
    fs::write(house.cache.path().join("blobs").join(&pin), b"evil").unwrap();
    house.asked();
    assert_eq!(library.fetch(pinned).as_deref(), Ok(WASM));
    assert!(house.asked() > 0, "fetched anew");
    let blob = format!("/v2/acme/tone/blobs/sha256:{pin}");
    house.documents.lock().unwrap().insert(blob, ("application/octet-stream", b"\0asm and mere".to_vec()));
    fs::remove_dir_all(house.cache.path()).unwrap();
    assert!(library.fetch(pinned).is_err());
}

#[test]
fn what_is_larger_than_allowed_is_not_read() {
    let house = House::new();
    house.push("1", &[7; 4096], None);
    let tag = house.source(":1");
    let why = house.library().fetch(Wanted { follows_tags: true, most: 4095, ..wanted(&tag) }).unwrap_err();
    assert!(why.contains("4096 bytes"), "{why}");
}

#[test]
fn where_keys_are_trusted_only_what_they_have_signed_is_taken() {
    let (pair, other) = (Ed25519KeyPair::generate().unwrap(), Ed25519KeyPair::generate().unwrap());
    let key = |pair: &Ed25519KeyPair| PublicKey::new(pair.public_key().as_ref().try_into().unwrap());
    let sign = |bytes: &[u8]| Signature::new(pair.sign(bytes).as_ref().try_into().unwrap());
    let house = House::new();
    house.push("signed", WASM, Some(&sign(WASM)));
    house.push("plain", WASM, None);
    house.push("other", b"\0asm other", Some(&sign(WASM)));
    let trusting = |key: PublicKey| Library { trusted: vec![key], ..house.library() };
    let fetch = |library: &Library, tag: &str| {
        let source = house.source(tag);
        library.fetch(Wanted { follows_tags: true, ..wanted(&source) })
    };
    assert_eq!(fetch(&trusting(key(&pair)), ":signed").as_deref(), Ok(WASM));
    assert!(fetch(&trusting(key(&other)), ":signed").unwrap_err().contains("none of the `trusted_keys`"));
    assert!(fetch(&trusting(key(&pair)), ":plain").unwrap_err().contains("nobody has signed it"));
    assert!(fetch(&trusting(key(&pair)), ":other").is_err());
    // A pin is no signature, and what is kept is judged again.
    let (source, pin) = (house.source(":plain"), hash(WASM));
    assert!(trusting(key(&pair)).fetch(Wanted { sha256: Some(&pin), ..wanted(&source) }).is_err());

    let path = house.cache.path().join("tone.wasm");
    fs::write(&path, WASM).unwrap();
    let file = Source::File(path.clone());
    assert!(trusting(key(&pair)).fetch(wanted(&file)).is_err());
    fs::write(signature_path(&path), format!("{}\n", sign(WASM))).unwrap();
    assert_eq!(trusting(key(&pair)).fetch(wanted(&file)).as_deref(), Ok(WASM));
    fs::write(signature_path(&path), "no").unwrap();
    assert!(trusting(key(&pair)).fetch(wanted(&file)).unwrap_err().contains("is no signature"));
    assert_eq!(key(&pair).to_string().parse(), Ok(key(&pair)));
}
