//! The questions as the server runs them: one script each, with what they all share before it.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Script as Code};

/// A script by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Reserve,
    Settle,
    Lapse,
    Standing,
    Beat,
    Take,
    Correct,
    Enter,
    Renew,
    Leave,
    Keep,
    Shelve,
    Learn,
    Forget,
}

/// A script and what it is to be run with.
pub(super) struct Call {
    pub script: Script,
    pub arguments: Vec<String>,
    /// One more argument, if there is anything in it.
    bytes: Vec<u8>,
}

/// What goes along in bytes may be a caller's words, and must not reach a log.
impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("script", &self.script).field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

impl Call {
    pub fn new(script: Script, arguments: impl IntoIterator<Item = String>) -> Self {
        Self { script, arguments: arguments.into_iter().collect(), bytes: Vec::new() }
    }

    /// With bytes behind the other arguments.
    pub fn with(self, bytes: Vec<u8>) -> Self {
        Self { bytes, ..self }
    }

    /// The command that runs it, if the server knows the script.
    pub fn command(&self, root: &str) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.script.code().get_hash()).arg(1).arg(root).arg(&self.arguments);
        if !self.bytes.is_empty() {
            command.arg(&self.bytes);
        }
        command
    }
}

impl Script {
    const ALL: [Self; 14] = [
        Self::Reserve,
        Self::Settle,
        Self::Lapse,
        Self::Standing,
        Self::Beat,
        Self::Take,
        Self::Correct,
        Self::Enter,
        Self::Renew,
        Self::Leave,
        Self::Keep,
        Self::Shelve,
        Self::Learn,
        Self::Forget,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Reserve => include_str!("lua/reserve.lua"),
            Self::Settle => include_str!("lua/settle.lua"),
            Self::Lapse => include_str!("lua/lapse.lua"),
            Self::Standing => include_str!("lua/standing.lua"),
            Self::Beat => include_str!("lua/beat.lua"),
            Self::Take => include_str!("lua/take.lua"),
            Self::Correct => include_str!("lua/correct.lua"),
            Self::Enter => include_str!("lua/enter.lua"),
            Self::Renew => include_str!("lua/renew.lua"),
            Self::Leave => include_str!("lua/leave.lua"),
            Self::Keep => include_str!("lua/keep.lua"),
            Self::Shelve => concat!(include_str!("lua/news.lua"), include_str!("lua/shelve.lua")),
            Self::Learn => concat!(include_str!("lua/news.lua"), include_str!("lua/learn.lua")),
            Self::Forget => concat!(include_str!("lua/news.lua"), include_str!("lua/forget.lua")),
        }
    }

    fn code(self) -> &'static Code {
        static CODES: LazyLock<[Code; 14]> =
            LazyLock::new(|| Script::ALL.map(|script| Code::new(&format!("{COMMON}\n{}", script.text()))));
        static NONE: LazyLock<Code> = LazyLock::new(|| Code::new("return redis.error_reply('ERR no such script')"));
        CODES.get(self as usize).unwrap_or(&NONE)
    }
}

/// Makes all scripts known to the server, which forgets them when it starts anew.
pub(super) async fn load(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    for script in Script::ALL {
        script.code().load_async(connection).await?;
    }
    Ok(())
}

const COMMON: &str = include_str!("lua/common.lua");
