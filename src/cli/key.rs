//! `tidegate key`: making, listing and revoking virtual keys in a key file.
//!
//! A key is printed once, when it is made; the file holds its hash. A change replaces the whole file in one
//! step, so a gateway that reads it meanwhile sees the old file or the new one, never half of either.
//!
//! Nothing here talks to a running gateway: it notices that the file has changed.

mod spent;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::auth::key_edit::{self, Draft};
use crate::auth::{KeyEntry, KeyFile, VirtualKey};
use crate::base::duration;
use crate::cli::table::{Align, Table};
use spent::Spent;

/// Make, list and revoke virtual keys
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key: print it once, and store its hash
    Create(Create),
    /// Show the keys of a file, without anything that could be used as one
    List {
        #[command(flatten)]
        at: InFile,
        /// A gateway's `state` folder: show what each key has spent, too
        #[arg(long, value_name = "FOLDER")]
        ledger: Option<PathBuf>,
    },
    /// Refuse a key from now on
    Revoke {
        /// The key to revoke
        name: String,
        #[command(flatten)]
        at: InFile,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// What the key is called in logs, budgets and policies
    name: String,
    #[command(flatten)]
    at: InFile,
    /// The team its holder belongs to
    #[arg(long)]
    team: Option<String>,
    /// The one person or service that holds it
    #[arg(long)]
    user: Option<String>,
    /// A tag that policies can ask for; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// A model it may name, like `gpt-4*`; may be given several times [default: all]
    #[arg(long = "model", value_name = "PATTERN")]
    models: Vec<String>,
    /// How long it is valid: `30d`, `2027-01-01` (midnight UTC) or `2027-01-01T09:00:00Z` [default: for ever]
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
}

#[derive(Debug, Args)]
struct InFile {
    /// The key file
    #[arg(long, value_name = "FILE", default_value = "keys.yaml")]
    file: PathBuf,
}

/// # Errors
/// What went wrong, for the person at the terminal.
pub fn run(args: KeyArgs) -> Result<(), String> {
    args.action.perform(Timestamp::now(), &mut std::io::stdout(), &mut std::io::stderr())
}

impl Action {
    /// Results go to `out`, so that they can be piped; everything else that is said goes to `aside`.
    fn perform(self, now: Timestamp, out: &mut dyn Write, aside: &mut dyn Write) -> Result<(), String> {
        match self {
            Self::Create(create) => create.perform(now, out, aside),
            Self::List { at, ledger } => {
                let spent = ledger.map(|folder| Spent::read(&folder, now)).transpose()?;
                list(&read(&at.file)?, now, spent.as_ref(), out)
            }
            Self::Revoke { name, at } => {
                // A missing file has no such key, and must not be made.
                read(&at.file)?;
                change(&at.file, |text| key_edit::revoke(text, &name))?;
                say(aside, &format!("`{name}` is revoked in {}", at.file.display()))
            }
        }
    }
}

impl Create {
    fn perform(self, now: Timestamp, out: &mut dyn Write, aside: &mut dyn Write) -> Result<(), String> {
        let key = VirtualKey::generate()?;
        let draft = Draft {
            name: self.name,
            hash: *key.hash(),
            team: self.team,
            user: self.user,
            tags: self.tags,
            models: self.models,
            expires: self.expires.map(|written| end_of_validity(&written, now)).transpose()?,
        };
        change(&self.at.file, |text| key_edit::add(text, &draft))?;
        // Only a key that is stored is shown; one that cannot be shown is of no use to anybody.
        writeln!(out, "{}", key.secret().expose()).map_err(|error| {
            format!("the key `{}` was stored but could not be printed, so revoke it: {error}", draft.name)
        })?;
        let place = self.at.file.display();
        say(aside, &format!("this is the only time the key is shown; {place} holds its hash under `{}`", draft.name))
    }
}

fn say(aside: &mut dyn Write, sentence: &str) -> Result<(), String> {
    writeln!(aside, "{sentence}").map_err(|error| error.to_string())
}

/// Reads a date, a time or a duration from now.
fn end_of_validity(written: &str, now: Timestamp) -> Result<Timestamp, String> {
    let time = written.parse().or_else(|_| format!("{written}T00:00:00Z").parse()).ok();
    let end = time.or_else(|| {
        let end = now.checked_add(duration::parse(written).ok()?).ok()?;
        Timestamp::from_second(end.as_second()).ok()
    });
    match end {
        Some(end) if end > now => Ok(end),
        Some(_) => Err(format!("`{written}` is in the past")),
        None => {
            Err(format!("`{written}` is not an end of validity; write `30d`, `2027-01-01` or `2027-01-01T09:00:00Z`"))
        }
    }
}

fn list(text: &str, now: Timestamp, spent: Option<&Spent>, out: &mut dyn Write) -> Result<(), String> {
    let file = KeyFile::parse(text)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let costs = spent.map(|_| COSTS.map(|head| (head, Align::Point)));
    let mut table = Table::of(HEAD.map(|head| (head, Align::Left)).into_iter().chain(costs.into_iter().flatten()));
    for key in &file.keys {
        let costs = spent.map(|spent| spent.of(&key.name));
        table.row(row(key, now).into_iter().chain(costs.into_iter().flatten()));
    }
    table.write(out).map_err(|error| error.to_string())
}

/// In this month (UTC), and ever.
const COSTS: [&str; 2] = ["MONTH_USD", "ALL_USD"];
const HEAD: [&str; 8] = ["NAME", "TEAM", "USER", "TAGS", "MODELS", "EXPIRES", "STATE", "HASH"];

fn row(key: &KeyEntry, now: Timestamp) -> [String; HEAD.len()] {
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let state = match key.expires {
        _ if key.revoked => "revoked",
        Some(end) if end <= now => "expired",
        _ => "active",
    };
    [
        key.name.to_string(),
        or_dash(key.team.as_deref().unwrap_or_default().to_owned()),
        or_dash(key.user.as_deref().unwrap_or_default().to_owned()),
        or_dash(key.tags.join(",")),
        or_dash(key.models.join(",")),
        or_dash(key.expires.map(|end| end.to_string()).unwrap_or_default()),
        state.to_owned(),
        key.hash.short(),
    ]
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

/// Replaces `file` by what `edit` makes of its text; without the file, of nothing.
fn change(file: &Path, edit: impl FnOnce(&str) -> Result<String, String>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{} cannot be written: {error}", file.display());
    // The file behind a link is replaced, not the link.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let draft = DraftFile::create(&target).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            format!("somebody else is changing {}; if not, remove {}.new", file.display(), target.display())
        }
        _ => failed(error),
    })?;
    let before = match fs::read_to_string(&target) {
        Ok(text) => {
            let permissions = fs::metadata(&target).map_err(failed)?.permissions();
            draft.file.set_permissions(permissions).map_err(failed)?;
            text
        }
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{} cannot be read: {error}", file.display())),
    };
    draft.replace(&target, &edit(&before)?).map_err(failed)
}

/// The new text of a file, beside it, until it takes its place. Because two of them cannot exist, it is also
/// what keeps two changes from overwriting each other.
struct DraftFile {
    /// `None` once it has taken its place: by then the name may be that of somebody else's draft.
    path: Option<PathBuf>,
    file: File,
}

impl DraftFile {
    fn create(target: &Path) -> std::io::Result<Self> {
        let path = target.with_added_extension("new");
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path: Some(path), file })
    }

    fn replace(mut self, target: &Path, text: &str) -> std::io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        if let Some(path) = &self.path {
            fs::rename(path, target)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for DraftFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::Parser;
    use tempfile::TempDir;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        key: KeyArgs,
    }

    /// A folder with a key file, at noon on the first of May 2026.
    struct Desk {
        dir: TempDir,
    }

    impl Desk {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap() }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("keys.yaml")
        }

        fn text(&self) -> String {
            fs::read_to_string(self.path()).unwrap()
        }

        /// What `tidegate key …` prints to stdout and stderr.
        fn key(&self, args: &[&str]) -> Result<(String, String), String> {
            let file = self.path();
            let args = ["key"].iter().chain(args).copied().chain(["--file", file.to_str().unwrap()]);
            let (mut out, mut aside) = (Vec::new(), Vec::new());
            Cli::try_parse_from(args).unwrap().key.action.perform(now(), &mut out, &mut aside)?;
            Ok((String::from_utf8(out).unwrap(), String::from_utf8(aside).unwrap()))
        }
    }

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_key_is_printed_once_and_only_its_hash_is_stored() {
        let desk = Desk::new();
        let (out, aside) =
            desk.key(&["create", "bot", "--team", "support", "--tag", "a", "--tag", "b", "--model", "gpt-4*"]).unwrap();
        let secret = out.trim_end();
        assert!(secret.starts_with("tg-") && secret.len() == 46 && out.lines().count() == 1);
        assert!(!desk.text().contains(secret) && !aside.contains(secret));
        let file = KeyFile::parse(&desk.text()).unwrap();
        assert_eq!(file.keys[0].hash, crate::auth::KeyHash::of(secret));
        assert_eq!((file.keys[0].tags.len(), file.keys[0].models.as_slice()), (2, ["gpt-4*".to_owned()].as_slice()));
    }

    #[test]
    fn a_new_file_is_for_its_owner_only_and_an_old_one_keeps_its_mode() {
        let desk = Desk::new();
        let mode = || fs::metadata(desk.path()).unwrap().permissions().mode() & 0o777;
        desk.key(&["create", "a"]).unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(desk.path(), fs::Permissions::from_mode(0o640)).unwrap();
        desk.key(&["create", "b"]).unwrap();
        assert_eq!(mode(), 0o640);
    }

    #[test]
    fn a_name_that_is_taken_changes_nothing() {
        let desk = Desk::new();
        desk.key(&["create", "bot"]).unwrap();
        let before = desk.text();
        assert!(desk.key(&["create", "bot"]).unwrap_err().contains("already a key `bot`"));
        assert_eq!(desk.text(), before);
        assert_eq!(fs::read_dir(desk.dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn comments_and_order_survive() {
        let desk = Desk::new();
        desk.key(&["create", "zoe"]).unwrap();
        fs::write(desk.path(), format!("# ours\n{}  # the last one\n", desk.text())).unwrap();
        let before = desk.text();
        desk.key(&["create", "ada"]).unwrap();
        assert!(desk.text().starts_with("# ours\nversion: 1\n") && desk.text().contains("  # the last one\n"));
        assert!(desk.text().find("zoe").unwrap() < desk.text().find("ada").unwrap());
        assert!(desk.text().len() > before.len());
    }

    #[test]
    fn a_bad_pattern_or_an_empty_name_stores_nothing() {
        let desk = Desk::new();
        assert!(desk.key(&["create", "bot", "--model", "gpt-[4"]).unwrap_err().contains("`gpt-[4` is not a pattern"));
        assert!(desk.key(&["create", ""]).is_err());
        assert!(!desk.path().exists());
    }

    #[test]
    fn the_list_shows_what_a_key_may_do_and_nothing_that_could_be_used() {
        let desk = Desk::new();
        let (secret, _) =
            desk.key(&["create", "bot", "--team", "support", "--user", "u1", "--expires", "30d"]).unwrap();
        desk.key(&["create", "gone"]).unwrap();
        desk.key(&["revoke", "gone"]).unwrap();
        let (out, _) = desk.key(&["list"]).unwrap();
        let hash = crate::auth::KeyHash::of(secret.trim_end());
        let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["bot", "support", "u1", "-", "-", "2026-05-31T12:00:00Z", "active", &hash.short()]);
        assert_eq!(rows[2][..7], ["gone", "-", "-", "-", "-", "-", "revoked"]);
        assert!(!out.contains(secret.trim_end()) && !out.contains(&hash.to_string()[7..16]));
    }

    #[test]
    fn a_key_past_its_end_is_listed_as_expired() {
        let desk = Desk::new();
        desk.key(&["create", "bot", "--expires", "1h"]).unwrap();
        let mut out = Vec::new();
        list(&desk.text(), "2026-05-01T13:00:00Z".parse().unwrap(), None, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("expired"));
    }

    #[test]
    fn a_revoked_key_stays_in_the_file() {
        let desk = Desk::new();
        desk.key(&["create", "bot"]).unwrap();
        let (out, aside) = desk.key(&["revoke", "bot"]).unwrap();
        assert!(out.is_empty() && aside.contains("`bot` is revoked"));
        assert!(KeyFile::parse(&desk.text()).unwrap().keys[0].revoked);
        assert!(desk.key(&["revoke", "nobody"]).unwrap_err().contains("no key `nobody`"));
    }

    #[test]
    fn nothing_is_listed_or_revoked_in_a_file_that_is_not_there() {
        let desk = Desk::new();
        assert!(desk.key(&["list"]).unwrap_err().contains("cannot be read"));
        assert!(desk.key(&["revoke", "bot"]).unwrap_err().contains("cannot be read"));
        assert!(!desk.path().exists());
    }

    #[test]
    fn two_changes_do_not_overwrite_each_other() {
        let desk = Desk::new();
        let other = DraftFile::create(&desk.path()).unwrap();
        assert!(desk.key(&["create", "bot"]).unwrap_err().contains("somebody else is changing"));
        drop(other);
        assert!(desk.key(&["create", "bot"]).is_ok());
    }

    #[test]
    fn the_file_behind_a_link_is_changed_and_the_link_stays() {
        let desk = Desk::new();
        let real = desk.dir.path().join("real.yaml");
        fs::write(&real, "version: 1\nkeys: {}\n").unwrap();
        std::os::unix::fs::symlink(&real, desk.path()).unwrap();
        desk.key(&["create", "bot"]).unwrap();
        assert!(fs::symlink_metadata(desk.path()).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains("bot"));
    }

    #[test]
    fn an_end_of_validity_is_a_date_a_time_or_a_duration_in_the_future() {
        let end = |written: &str| end_of_validity(written, now()).map(|end| end.to_string());
        assert_eq!(end("30d").as_deref(), Ok("2026-05-31T12:00:00Z"));
        assert_eq!(end("2027-01-01").as_deref(), Ok("2027-01-01T00:00:00Z"));
        assert_eq!(end("2027-01-01T09:00:00+01:00").as_deref(), Ok("2027-01-01T08:00:00Z"));
        assert!(end("2026-05-01").unwrap_err().contains("in the past"));
        assert!(end("0s").unwrap_err().contains("in the past"));
        for wrong in ["", "soon", "30", "2027-13-01", "99999999999d"] {
            assert!(end(wrong).unwrap_err().contains("is not an end"), "{wrong}");
        }
    }
}
