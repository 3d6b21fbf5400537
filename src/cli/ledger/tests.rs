//! The commands, on real books in a folder.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;
use smallvec::smallvec;
use tempfile::TempDir;

use super::Args;
use crate::base::ids::{AccountId, KeyName, ProviderName, RequestId};
use crate::base::money::Nanos;
use crate::state::{
    Claim, CostLine, Counts, Durability, Embedded, HoldId, Ledger, Leg, Mark, Options, Priced, Settlement, Slot,
};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    ledger: Args,
}

/// Books in a folder that no gateway uses any more.
struct Books(TempDir);

/// What a command said, and how it ended.
struct Said {
    code: ExitCode,
    out: String,
    aside: String,
}

impl Books {
    fn of(lines: impl IntoIterator<Item = CostLine>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&folder);
        for line in lines {
            let hold = HoldId { request: line.request, attempt: line.attempt };
            ledger.settle(Settlement { hold, at: line.at, lines: vec![line] });
            // In a batch of its own, since damage in the last batch passes for a torn tail.
            wait(ledger.flush()).unwrap();
        }
        ledger.close();
        Self(folder)
    }

    fn args(&self, words: &[&str]) -> Args {
        let dir = self.0.path().to_str().unwrap();
        let words = ["ledger"].iter().chain(words).copied().chain(["--dir", dir]);
        Cli::try_parse_from(words).unwrap().ledger
    }

    fn ask(&self, words: &[&str]) -> Said {
        let (mut out, mut aside) = (Vec::new(), Vec::new());
        let code = self.args(words).perform(&mut out, &mut aside);
        Said { code, out: String::from_utf8(out).unwrap(), aside: String::from_utf8(aside).unwrap() }
    }

    fn segment(&self) -> PathBuf {
        self.0.path().join("ledger/0001.log")
    }

    fn damage(&self) {
        let mut bytes = fs::read(self.segment()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(self.segment(), bytes).unwrap();
    }

    fn prices(&self, text: &str) -> String {
        let path = self.0.path().join("prices.yaml");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn open(folder: &TempDir) -> Embedded {
    Embedded::open(folder.path(), &Options::default(), "2026-11-22T10:00:00Z".parse().unwrap()).unwrap()
}

fn wait<T>(done: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(done)
}

fn fresh() -> HoldId {
    HoldId { request: RequestId::fresh(1_795_341_600_000), attempt: 0 }
}

/// A million tokens in and none out, of team `search`.
fn line(model: &str, cost: i64) -> CostLine {
    let HoldId { request, attempt } = fresh();
    CostLine {
        request,
        attempt,
        at: "2026-11-22T10:00:00Z".parse().unwrap(),
        key: Some(KeyName::new("k1")),
        team: Some("search".into()),
        user: None,
        policy: None,
        model: model.into(),
        target: None,
        provider: None,
        priced: Some(Priced { model: model.into(), since: "2026-01-01".parse().unwrap() }),
        usage: Counts { text_in: Some(1_000_000), out: Some(0), ..Counts::default() },
        cost: Nanos(cost),
        marks: Vec::new(),
    }
}

fn at(time: &str, line: CostLine) -> CostLine {
    CostLine { at: time.parse().unwrap(), ..line }
}

fn of_team(team: &str, line: CostLine) -> CostLine {
    CostLine { team: Some(team.into()), ..line }
}

fn at_provider(provider: &str, line: CostLine) -> CostLine {
    CostLine { provider: Some(ProviderName::new(provider)), ..line }
}

fn marked(mark: Mark, line: CostLine) -> CostLine {
    CostLine { marks: vec![mark], ..line }
}

#[test]
fn the_command_line_is_one_that_clap_can_build() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn sound_books_are_counted() {
    let books = Books::of([line("m", 1)]);
    let ledger = open(&books.0);
    let leg = Leg { account: AccountId::new("team/a"), since: Slot::FIRST, cap: Nanos(100), amount: Nanos(10) };
    let [ten, eleven, twelve] = [10, 11, 12].map(|hour| format!("2026-11-22T{hour}:00:00Z").parse().unwrap());
    let claim =
        |at, lapses| Claim { hold: fresh(), at, legs: smallvec![leg.clone()], lapses, durability: Durability::Now };
    wait(ledger.reserve(claim(ten, eleven))).unwrap();
    ledger.lapse(eleven);
    wait(ledger.reserve(claim(eleven, twelve))).unwrap();

    let said = books.ask(&["verify"]);
    assert_eq!((said.code, said.aside.as_str()), (ExitCode::SUCCESS, ""));
    assert!(
        said.out.contains("records     4\nopen holds  1 (") && said.out.contains("assumed     1 ("),
        "{}",
        said.out
    );
    assert!(said.out.ends_with("torn tail   none\nthe ledger is sound\n"), "{}", said.out);
    let sum = books.ask(&["sum"]).out;
    assert!(sum.contains("1 attempt ended without word: budgets count the 0.00000001 set aside for"), "{sum}");
}

#[test]
fn a_fault_is_told_with_its_segment_its_byte_and_what_to_do() {
    let books = Books::of((0..9).map(|_| line("m", 1)));
    books.damage();
    let said = books.ask(&["verify"]);
    assert_eq!(said.code, ExitCode::from(1));
    let place = format!("  --> {}, byte ", books.segment().display());
    assert!(
        said.aside.contains(&place) && said.aside.contains("   = help: restore the file from a copy"),
        "{}",
        said.aside
    );
    assert!(said.out.ends_with("the ledger is damaged: 1 fault\n"), "{}", said.out);

    let said = books.ask(&["verify", "--json"]);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &found["ok"], &found["records"]), (ExitCode::from(1), &false.into(), &8.into()));
    assert!(found["faults"][0]["offset"].is_u64(), "{found}");
}

#[test]
fn a_torn_tail_is_no_fault() {
    let books = Books::of([line("m", 1), line("m", 2)]);
    let bytes = fs::read(books.segment()).unwrap();
    fs::write(books.segment(), &bytes[..bytes.len() - 1]).unwrap();
    let said = books.ask(&["verify"]);
    assert_eq!(said.code, ExitCode::SUCCESS, "{}", said.aside);
    assert!(said.out.contains("torn tail   from byte "), "{}", said.out);
}

#[test]
fn books_that_are_not_there_cannot_be_read_and_are_not_made() {
    let books = Books(tempfile::tempdir().unwrap());
    let file = books.0.path().join("bill.csv");
    for words in [&["verify"][..], &["sum"], &["export", "--csv", file.to_str().unwrap()], &["recost"]] {
        let said = books.ask(words);
        assert_eq!(said.code, ExitCode::from(2), "{words:?}");
        assert!(said.aside.starts_with("error: there is no ledger here\n  --> "), "{}", said.aside);
        assert!(said.aside.contains("`--dir`") && said.out.is_empty());
    }
    assert_eq!(fs::read_dir(books.0.path()).unwrap().count(), 0);
}

#[test]
fn nothing_is_summed_of_damaged_books() {
    let books = Books::of((0..9).map(|_| line("m", 1)));
    books.damage();
    let said = books.ask(&["sum"]);
    assert_eq!((said.code, said.out.as_str()), (ExitCode::from(1), ""));
    assert!(said.aside.contains("byte ") && said.aside.contains("`tidegate ledger verify`"), "{}", said.aside);
}

#[test]
fn sums_are_exact_and_the_largest_comes_first() {
    let books = Books::of([
        of_team("small", line("m", 1)),
        marked(Mark::Estimated, of_team("large", line("m", 2_000_000_000))),
        of_team("large", line("m", 1_000_000_001)),
        marked(Mark::Unpriced, of_team("large", line("m", 0))),
    ]);
    let wanted = "\
TEAM   REQUESTS  TOKENS IN  TOKENS OUT     COST USD  ESTIMATED  UNPRICED
large         3    3000000           0  3.000000001      66.6%         1
small         1    1000000           0  0.000000001          0         0
total         4    4000000           0  3.000000002      66.6%         1
1 attempt had no price, and what they cost is not known
";
    assert_eq!(books.ask(&["sum", "--by", "team"]).out, wanted);
}

#[test]
fn a_row_is_a_combination_and_its_days_are_those_of_the_zone() {
    let late = "2026-11-30T23:30:00Z";
    let books = Books::of([at(late, line("a", 1)), at(late, line("b", 2)), line("b", 4)]);
    let said = books.ask(&["sum", "--by", "month,model", "--tz", "Europe/Berlin", "--json"]);
    let sums: Value = serde_json::from_str(&said.out).unwrap();
    let names = |n: usize| (sums["rows"][n]["month"].as_str().unwrap(), sums["rows"][n]["model"].as_str().unwrap());
    assert_eq!([names(0), names(1), names(2)], [("2026-11", "b"), ("2026-12", "b"), ("2026-12", "a")]);
    assert_eq!(sums["total"]["cost_usd"], "0.000000007");

    let december = books.ask(&["sum", "--since", "2026-12-01", "--tz", "Europe/Berlin", "--json"]).out;
    assert_eq!(serde_json::from_str::<Value>(&december).unwrap()["total"]["cost_usd"], "0.000000003");
}

#[test]
fn a_row_is_not_asked_for_twice() {
    let said = Books::of([]).ask(&["sum", "--by", "team,team"]);
    assert_eq!(said.code, ExitCode::from(2));
    assert!(said.aside.contains("names `team` twice"), "{}", said.aside);
}

#[test]
fn an_exported_line_is_read_back_as_it_was_and_runs_no_formula() {
    let hostile = "=HYPERLINK(\"http://x\",\"a,b\r\nc\")";
    let books = Books::of([
        of_team(hostile, line("-m", 1_500_000_000)),
        marked(Mark::Cut, at("2026-12-01T00:00:00Z", line("later", 1))),
    ]);
    let said = books.ask(&["export", "--csv", "--until", "2026-12-01"]);
    assert!(said.out.starts_with("request,attempt,at,key,team,") && said.out.ends_with("\r\n"), "{}", said.out);
    let mut table = csv::Reader::from_reader(said.out.as_bytes());
    let heads = table.headers().unwrap().clone();
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    let cell = |head: &str| rows[0].get(heads.iter().position(|found| found == head).unwrap()).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((cell("team"), cell("model")), (format!("'{hostile}").as_str(), "'-m"));
    assert_eq!((cell("cost_usd"), cell("input_tokens"), cell("cache_read")), ("1.5", "1000000", ""));
    assert_eq!((cell("at"), cell("priced_since")), ("2026-11-22T10:00:00Z", "2026-01-01"));
}

#[test]
fn lines_of_json_are_those_of_the_ledger() {
    let lines = [line("a", 1), marked(Mark::HangUp, line("b", 2))];
    let books = Books::of(lines.clone());
    let file = books.0.path().join("bill.jsonl");
    let said = books.ask(&["export", "--jsonl", file.to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str()), (ExitCode::SUCCESS, ""));
    let read: Vec<CostLine> =
        fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, lines);
}

#[test]
fn a_file_that_ends_at_the_damage_is_said_to() {
    let books = Books::of((0..9).map(|_| line("m", 1)));
    books.damage();
    let file = books.0.path().join("bill.csv");
    let said = books.ask(&["export", "--csv", file.to_str().unwrap()]);
    assert_eq!(said.code, ExitCode::from(1));
    assert!(said.aside.contains("bill.csv has only what comes before"), "{}", said.aside);
    assert!(fs::read_to_string(file).unwrap().lines().count() > 1);
}

#[test]
fn a_mark_has_the_same_name_in_the_log_and_in_a_table() {
    let marks = [Mark::Estimated, Mark::Unpriced, Mark::Assumed, Mark::Failed, Mark::Cut, Mark::HangUp];
    assert!(marks.iter().all(|mark| serde_json::to_value(mark).unwrap() == mark.name()));
}

/// Of two vendors, with one model that both have and, from November on, another price of the first.
const PRICES: &str = r#"
version: 1
vendors:
  north:
    - source: https://north.example
      checked: 2026-11-01
      models:
        own: [{ from: 2026-01-01, in: "1", out: "1" }, { from: 2026-11-01, in: "2", out: "2" }]
        both: [{ from: 2026-01-01, in: "3", out: "3" }]
        twin: [{ from: 2026-01-01, in: "9", out: "9" }]
  south:
    - source: https://south.example
      checked: 2026-11-01
      models:
        both: [{ from: 2026-01-01, in: "4", out: "4" }]
        twin: [{ from: 2026-02-01, in: "8", out: "8" }]
"#;

#[test]
fn each_line_is_priced_as_on_its_day() {
    let books = Books::of([
        line("own", 1_000_000_000),
        at("2026-10-31T12:00:00Z", line("own", 1_000_000_000)),
        at_provider("south", line("both", 4_500_000_000)),
        line("twin", 9_000_000_000),
    ]);
    let prices = books.prices(PRICES);
    let wanted = "\
MODEL  ATTEMPTS  BOOKED USD  NOW USD  DIFFERENCE
own           2        2.00     3.00       +1.00
both          1        4.50     4.00       -0.50
twin          1        9.00     9.00        0.00
total         4       15.50    16.00       +0.50
";
    assert_eq!(books.ask(&["recost", "--prices", &prices]).out, wanted);
}

#[test]
fn what_cannot_be_priced_again_is_listed_with_the_reason() {
    let counted = CostLine { usage: Counts { out: Some(7), ..Counts::default() }, ..line("own", 1) };
    let unlisted = |cost| CostLine { priced: None, ..line("house", cost) };
    let books = Books::of([
        line("both", 3),
        line("forgotten", 4),
        marked(Mark::Assumed, line("own", 5)),
        marked(Mark::Unpriced, unlisted(0)),
        unlisted(2),
        marked(Mark::Estimated, counted),
    ]);
    let prices = books.prices(PRICES);
    let said = books.ask(&["recost", "--prices", &prices]).out;
    let wanted = "\
not priced again:
MODEL      ATTEMPTS   BOOKED USD  WHY
both              1  0.000000003  several vendors have it at different prices, and its provider is not called like one
forgotten         1  0.000000004  the list has no price for it on its day
house             1  0.00         it had no price, so no row of the list is on record
house             1  0.000000002  its price was not that of a list
own               1  0.000000005  what was set aside counts, since nobody said what was used
own               1  0.000000001  not all that was used is on record
";
    assert!(said.contains("total         0        0.00     0.00        0.00\n") && said.ends_with(wanted), "{said}");
}

#[test]
fn a_price_file_with_mistakes_is_refused_with_their_lines() {
    let books = Books::of([]);
    let prices = books.prices(&PRICES.replace("in: \"3\"", "inn: \"3\""));
    let said = books.ask(&["recost", "--prices", &prices]);
    assert_eq!((said.code, said.out.as_str()), (ExitCode::from(2), ""));
    assert!(said.aside.contains("prices.yaml:9:") && said.aside.contains("inn"), "{}", said.aside);
}

/// A pipe that nobody reads from any more.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let books = Books::of([line("m", 1)]);
    for words in [&["sum"][..], &["sum", "--json"], &["export", "--csv"], &["export", "--jsonl"], &["verify"]] {
        let mut aside = Vec::new();
        assert_eq!(books.args(words).perform(&mut Closed, &mut aside), ExitCode::SUCCESS, "{words:?}");
        assert!(aside.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&aside));
    }
}

#[test]
fn the_verdict_on_damaged_books_holds_even_if_nobody_reads_it() {
    let books = Books::of((0..9).map(|_| line("m", 1)));
    books.damage();
    for words in [&["verify"][..], &["verify", "--json"]] {
        assert_eq!(books.args(words).perform(&mut Closed, &mut io::sink()), ExitCode::from(1));
    }
}

#[test]
fn reading_takes_no_lock_and_changes_nothing() {
    let books = Books::of([line("m", 1)]);
    let gateway = open(&books.0);
    let before = fs::read(books.segment()).unwrap();
    assert_eq!(books.ask(&["verify"]).code, ExitCode::SUCCESS);
    assert_eq!(books.ask(&["sum"]).code, ExitCode::SUCCESS);
    assert_eq!(fs::read(books.segment()).unwrap(), before);
    gateway.close();
}
